"""As programs.py, what takes longer: this project itself, configured and compiled on a tree of another node; 20,000 files."""
import os
import shutil

from bench import case
from programs import MANY, TREES, Nodes, archive_of, needs

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = '''meson setup build -Dtests=false >setup.log 2>&1 || cat setup.log
ninja -C build -j2 tenon >ninja.log || cat ninja.log
ninja -C build tenon | tail -n 1
build/tenon --version
find build -name '*.o' -exec sha256sum {} + | sort -k 2
sha256sum build/*.a build/tenon
touch src/cmd/ls.c
ninja -C build tenon | tail -n 1
sha256sum build/*.a build/tenon
ninja -C build tenon | tail -n 1
'''


def this_project(top):
    for name in ('meson.build', 'meson_options.txt'):
        shutil.copy(os.path.join(TOP, name), top)
    for name in ('include', 'src', 'man'):
        shutil.copytree(os.path.join(TOP, name), os.path.join(top, name))


@case('this project, configured and built on an import and on a union of it with #ram, is what it is outside')
def _(b):
    needs('meson', 'ninja', 'cc')
    out = Nodes(b).agree(BUILD, this_project, TREES, 900)
    assert out.count('ninja: no work to do.') == 2 and out.count('Linking target tenon') == 1, out


@case('tar unpacks 20,000 files on an import and on a union of it with #ram, and find and rm see what they see outside')
def _(b):
    needs('tar')
    Nodes(b).agree(MANY, archive_of(20000), TREES, 600)
