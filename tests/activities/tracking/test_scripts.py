"""The scripts of a site: the built file of one version, with the configuration in front."""

import json

from activities.models import EventSource
from activities.tracking import scripts


def test_the_configuration_stands_in_front_and_cannot_end_the_script(settings, tmp_path):
    settings.TRACKING_SCRIPTS = tmp_path
    source = EventSource(name="Shop", kind="browser", consent="denied", munchkin_id="123-ABC-456")
    assert scripts.site_script("cab_x", source) is None and scripts.current_version() is None, "nothing was built"
    settings.TRACKING_SCRIPTS = folder = tmp_path / "built"
    (folder / "1.0-a").mkdir(parents=True)
    (folder / "current.json").write_text('{"version": "1.0-a"}')
    (folder / "1.0-a" / "s.js").write_text("start()")
    text, tag = scripts.site_script("cab_</script>", source)
    front, rest = text.decode().split("\n", 1)
    config = json.loads(front.partition(".config=")[2].removesuffix(";"))
    assert rest == "start()" and "<" not in front and config["key"] == "cab_</script>"
    assert (config["consent"], config["base"], config["munchkin"]) == ("denied", "/_a", "123-ABC-456")
    assert scripts.site_script("cab_</script>", source)[1] == tag != scripts.site_script("cab_y", source)[1]
    assert scripts.read_script("1.0-a", "s.js") == b"start()"
    for version, name in (("1.0-b", "s.js"), ("..", "s.js"), ("1.0-a", "../current.json"), ("1.0-a", "munchkin.js")):
        assert scripts.read_script(version, name) is None
