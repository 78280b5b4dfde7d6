"""Static files of neighbouring versions in one folder."""

from django.core.files.base import ContentFile

from config.static_storage import ModuleStaticFilesStorage


def collect(folder, **files):
    """Run `collectstatic` in a folder that is kept between versions."""
    storage = ModuleStaticFilesStorage(location=str(folder), base_url="/static/")
    for name, content in files.items():
        storage.delete(f"{name}.css")
        storage.save(f"{name}.css", ContentFile(content))
    for name, _hashed, problem in storage.post_process({f"{name}.css": (storage, f"{name}.css") for name in files}):
        assert not isinstance(problem, Exception), (name, problem)
    return ModuleStaticFilesStorage(location=str(folder), base_url="/static/")


def test_a_process_of_the_version_before_finds_its_files_after_the_next_version_collected_its_own(tmp_path):
    before = collect(tmp_path, page=b"a {}", gone=b"b {}")
    now = collect(tmp_path, page=b"a { color: red }")
    assert now.stored_name("gone.css") == before.stored_name("gone.css")
    assert now.stored_name("page.css") != before.stored_name("page.css"), "what both have is that of the last"
    (tmp_path / now.stored_name("gone.css")).unlink()
    later = collect(tmp_path, page=b"a {}")
    assert "gone.css" not in later.hashed_files, "a name without its file is dropped"
