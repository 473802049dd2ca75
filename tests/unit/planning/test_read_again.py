"""A file that is read again is as it was, whatever became of what was read before."""

from harness.planning.yamlfile import override, read


def test_what_is_done_to_a_document_is_not_in_the_next_of_the_same_text(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("load:\n  rate: 5\nfaults:\n  - {fault: kill}\n")
    first = read(file)
    override(first, ["load.rate=50", "faults.0.fault=stop", "gate={}"])
    first.data["load"]["more"] = 1

    again = read(file)

    assert again.data == {"load": {"rate": 5}, "faults": [{"fault": "kill"}]}
    assert [again.line(at) for at in (("load", "rate"), ("faults", 0, "fault"))] == [2, 4]
    assert again.problems == []
    assert again.overridden == {}


def test_a_file_that_has_changed_is_read_as_it_is_now(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("rate: 5\n")
    read(file)
    file.write_text("rate: 6\n")

    assert read(file).data == {"rate": 6}
