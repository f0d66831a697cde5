"""The archive of a job's files, put together from blocks: whatever has changed, it holds what is said to be in it."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from fairing_az_jupyter.fairing.job_program.collecting import FoundFile
from fairing_az_jupyter.fairing.job_program.tar_parts import END, Composition, Member, Segment, header, padding

PATHS = ["a", "b/c", "ä", "x" * 150]
# What happens between two looks: which files have new contents, which are gone, and whether they are sent in one pack.
TURNS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(PATHS), st.binary(max_size=700)), st.sets(st.sampled_from(PATHS)), st.booleans()
    ),
    min_size=1,
    max_size=5,
)


class Folder:
    """Files that change, blocks that were sent, and the archive made of them."""

    def __init__(self):
        self.files, self.blocks, self.tar, self.turn = {}, {}, Composition(), 0

    def found(self, path):
        content, turn = self.files[path]
        return FoundFile(path, len(content), turn * 10**9, 1)

    def send(self, paths, *, together):
        groups = [paths] if together else [[path] for path in paths]
        for group in filter(None, groups):
            data, members = b"", []
            for path in group:
                found, content = self.found(path), self.files[path][0]
                place = len(data) + len(header(found))
                members.append(Member(path, found.version, found.size, b"", found.modified, place))
                data += header(found) + content + padding(len(content))
            name = f"block-{len(self.blocks)}"
            self.blocks[name] = data
            self.tar.add(Segment((name,), len(data), tuple(members)))

    def look(self, *, together, final):
        self.tar.retain(self.files.keys())
        replaced = [path for path in self.files if not self.tar.has(self.found(path))]
        again = self.tar.thin(
            replaced=replaced, unchanged=lambda each: self.found(each.path).version == each.version, wholly=final
        )
        self.send([*replaced, *again], together=together)
        self.tar.tidy()

    def data(self):
        return b"".join(self.blocks[name] for name in self.tar.blocks) + END


@settings(deadline=None, max_examples=150)
@given(TURNS)
def test_the_archive_always_holds_the_files_as_they_are_and_at_the_end_nothing_else(turns):
    folder = Folder()
    for turn, (written, gone, together) in enumerate(turns, start=1):
        folder.files |= {path: (content, turn) for path, content in written.items()}
        folder.files = {path: each for path, each in folder.files.items() if path not in gone}
        folder.look(together=together, final=turn == len(turns))

        data = folder.data()
        assert len(data) == folder.tar.size
        placed = {member.path: data[at : at + member.size] for member, at in folder.tar.files()}
        assert placed == {path: content for path, (content, _) in folder.files.items()}
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            unpacked = {member.name: archive.extractfile(member).read() for member in archive}
        assert unpacked.items() >= placed.items()

    assert unpacked == placed


def test_what_could_not_be_sent_is_not_in_the_archive():
    folder = Folder()
    folder.files = {"a": (b"1", 1), "b/c": (b"2", 1)}
    folder.look(together=False, final=False)
    [_, last] = folder.tar.blocks

    folder.tar.drop({last})

    assert [folder.tar.has(folder.found(path)) for path in ("a", "b/c")] == [True, False]
