"""A model of a name space: namespace-semantics.md 1 to 4 in a hundred lines, against which launch_churn.py holds tenon.

Files are objects, and heads are found by the object, not by its name: so a rename takes along what is mounted there.
"""
import itertools

BEFORE, AFTER, CREATE = 'b', 'a', 'c'
serial = itertools.count(1)


class File:
    """A file of a server. Every directory has a file `who` with the number of the directory; a plain file is its number."""

    def __init__(self, is_dir=True, server=None):
        self.is_dir, self.server, self.children = is_dir, server, {}
        self.who = '%s%d' % ('d' if is_dir else 'f', next(serial))
        self.alive = True

    def kill(self):
        """It is removed, with all below it. Who holds it holds an empty directory."""
        self.alive = False
        for child in self.children.values():
            child.kill()
        self.children = {}


class Member:
    def __init__(self, to, text, flags, verb='bind'):
        self.to, self.text, self.flags, self.verb = to, text, flags, verb
        self.id = next(serial)


class Head:
    def __init__(self, under, text):
        self.under, self.text, self.members = under, text, []
        self.names = set()  # by which something was mounted on it
        self.places = set()  # the same, as `places` has them


class Refused(Exception):
    pass


class Names:
    """tops: absolute names at which files begin that nothing above can cover. far: the server whose renames nobody is told of."""

    def __init__(self, tops, far):
        self.tops, self.far, self.heads = tops, far, {}

    # ---- walking ----

    def shown(self, file):
        head = self.heads.get(file)
        return [m.to for m in head.members] if head else [file]

    def at(self, place):
        """What is in a directory by a name, its mount point not crossed; None: nothing."""
        file, element = place
        return next((f.children[element] for f in self.shown(file) if element in f.children), None)

    def way(self, name):
        """The places over which the name leads, as far as there is something, and the file to which it leads, or None."""
        top = max((t for t in self.tops if name == t or name.startswith(t + '/')), key=len)
        file, places = self.tops[top], []
        for element in name[len(top):].split('/')[1:]:
            if file:
                places.append((file, element))
                file = self.at(places[-1])
        return places, file

    def places(self, name):
        """
        What the kernel knows the name's steps by: the last directory before it that takes its mounts along when it is renamed,
        and the names from there; and the file that is there.
        """
        base, elements, places = None, (), []
        for file, element in self.way(name)[0]:
            if not base or file.server is not self.far:
                base, elements = file, ()
            elements += (element,)
            places.append(((base, elements), self.at((file, element))))
        return places

    def walk(self, name):
        """The file, its mount point not crossed; None: there is none."""
        return self.way(name)[1]

    def read(self, name):
        """What the file `who` in the directory `name` says, or the file `name`; None: it is not there."""
        file = self.walk(name)
        if not file:
            return None
        here = self.shown(file)
        return next((f.who for f in here if f.alive), None) if here[0].is_dir else here[0].who if here[0].alive else None

    # ---- changing ----

    def find(self, name):
        file = self.walk(name)
        if not file:
            raise Refused('file does not exist')
        return file

    def bind(self, flags, source, target):
        from_, to = self.find(source), self.find(target)
        head = self.heads.get(from_)
        first = head.members[0] if head else Member(from_, source, '')
        order = ''.join(f for f in flags if f != CREATE)
        if first.to.is_dir != to.is_dir or (not to.is_dir and order):
            raise Refused('inconsistent mount')
        if CREATE in flags and head and (len(head.members) > 1 or CREATE not in first.flags):
            raise Refused('inconsistent mount')
        at = self.heads.get(to) or Head(to, target)
        old = at.members if order else []
        if order and not at.members:
            old = [Member(to, target, '')]
        new = [Member(first.to, first.text, flags, first.verb)]
        new += [Member(m.to, m.text, order or AFTER, m.verb) for m in (head.members[1:] if head else [])]
        at.members = old + new if order == AFTER else new + old
        at.names.add(target)
        at.places.update(place for place, _ in self.places(target)[-1:])
        self.heads[to] = at

    def made_at(self, name):
        """The head that ns shows with this name, which leads nowhere now: a file may lose its name."""
        return next((h for h in self.heads.values() if h.text == name), None)

    def unmount(self, source, target):
        member = self.shown(self.find(source))[0] if source else None
        to = self.walk(target)
        head = self.heads.get(to) if to else self.made_at(target)
        if not head:
            raise Refused('not mounted' if to else 'file does not exist')
        gone = next((m for m in head.members if m.to is member), None)
        if source and not gone:
            raise Refused('not in union')
        head.members = [m for m in head.members if source and m is not gone]
        if not head.members:
            del self.heads[head.under]

    def prune(self, server):
        """What is mounted on removed files of a server that tells of it."""
        for file in [f for f in self.heads if f.server is server and not f.alive]:
            del self.heads[file]

    def reaches(self, source, target):
        """Can one come to `target` by going down from what `source` shows? Then a bind would make an endless tree."""
        todo, seen = self.shown(source), set()
        while todo:
            for child in todo.pop().children.values():
                if child is target:
                    return True
                if child not in seen:
                    seen.add(child)
                    todo += self.shown(child)
        return False

    def saved(self):
        """What `restore` needs to take changes back."""
        return [(f, h, list(h.members), set(h.names), set(h.places)) for f, h in self.heads.items()]

    def restore(self, saved):
        self.heads = {f: h for f, h, *_ in saved}
        for _, h, h.members, h.names, h.places in saved:
            pass

    # ---- showing ----

    def lines(self):
        """As ns prints it."""
        all_ = sorted(((m, h) for h in self.heads.values() for m in h.members), key=lambda x: x[0].id)
        return [' '.join([m.verb] + (['-' + ''.join(sorted(m.flags, key='bac'.index))] if m.flags else []) +
                         [m.text, h.text]) for m, h in all_]
