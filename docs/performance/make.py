#!/usr/bin/env python3
"""make.py: the plots and the tables of docs/performance.md, from figures.txt beside this file.

make.py --check says whether they are what figures.txt makes of them. A line of figures.txt: place, workload, the target,
then for each server of the place its percent of the machine's limit by CPU time; `-` where it was not measured.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, '..', 'performance.md')
COLOURS = ('#2b6cb0', '#a0aec0')
ROW, BAR, LEFT, WIDE = 34, 11, 120, 420


def number(word):
    return None if word == '-' else float(word)


def read():
    """-> place -> servers, [(workload, target, percents)]"""
    places = {}
    with open(os.path.join(HERE, 'figures.txt')) as f:
        for line in f:
            words = line.split('#')[0].split()
            if words and words[0] == 'place':
                places[words[1]] = (words[2:], [])
            elif words:
                places[words[0]][1].append((words[1], float(words[2]), [number(w) for w in words[3:]]))
    return places


def show(x):
    return '-' if x is None else '%.1f' % x if x < 10 else '%.0f' % x


def table(servers, rows):
    out = ['| workload | ' + ' | '.join(servers) + ' | target | |', '|---|' + '---:|' * (len(servers) + 1) + '---|']
    for workload, target, percents in rows:
        missed = percents[0] is not None and percents[0] < target
        out.append('| %s | %s | %s | %s |' % (workload, ' | '.join(map(show, percents)), show(target),
                                              'not reached' if missed else ''))
    return '\n'.join(out)


def svg(servers, rows):
    """A bar for each server, and a stroke where the target is."""
    high = ROW * len(rows) + 30
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">'
           % (LEFT + WIDE + 60, high), '<rect width="100%" height="100%" fill="white"/>']
    for i, server in enumerate(servers):
        out.append('<rect x="%d" y="6" width="10" height="10" fill="%s"/><text x="%d" y="15">%s</text>'
                   % (LEFT + 110 * i, COLOURS[i], LEFT + 110 * i + 14, server))
    out.append('<text x="%d" y="15">| target</text>' % (LEFT + 110 * len(servers)))
    for k, (workload, target, percents) in enumerate(rows):
        y = 26 + ROW * k
        out.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (LEFT - 6, y + 16, workload))
        for i, x in enumerate(percents):
            if x is not None:
                out.append('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d" font-size="10">%s</text>'
                           % (LEFT, y + 2 + BAR * i, WIDE * x / 100, BAR - 1, COLOURS[i], LEFT + WIDE * x / 100 + 4,
                              y + 11 + BAR * i, show(x)))
        at = LEFT + WIDE * target / 100
        out.append('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#c53030" stroke-width="2"/>' % (at, at, y, y + 24))
    return '\n'.join(out + ['</svg>', ''])


def main():
    made = {}
    with open(PAGE) as f:
        page = f.read()
    for place, (servers, rows) in read().items():
        made[os.path.join(HERE, place + '.svg')] = svg(servers, rows)
        page = re.sub(r'(?s)(<!-- table %s -->\n).*?(<!-- end -->)' % place,
                      lambda m: m.group(1) + table(servers, rows) + '\n' + m.group(2), page)
    made[PAGE] = page
    stale = []
    for path, text in made.items():
        if os.path.exists(path) and open(path).read() == text:
            continue
        stale.append(os.path.relpath(path, HERE))
        if '--check' not in sys.argv:
            with open(path, 'w') as f:
                f.write(text)
    if '--check' in sys.argv and stale:
        sys.exit('not what figures.txt makes of it: %s' % ' '.join(stale))


if __name__ == '__main__':
    main()
