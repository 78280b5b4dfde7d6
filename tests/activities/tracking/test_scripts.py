"""The scripts of a site: the built file of one version, with the configuration in front."""

import json

from activities.models import EventSource
from activities.tracking import scripts
from activities.tracking.script import files


def test_the_configuration_stands_in_front_and_cannot_end_the_script():
    source = EventSource(name="Shop", kind="browser", consent="denied", munchkin_id="123-ABC-456")
    text, tag = scripts.configured_script("cab_</script>", source)
    front, rest = text.decode().split("\n", 1)
    config = json.loads(front.partition(".config=")[2].removesuffix(";"))
    built = files.fixed_file(files.current_version(), files.SCRIPT).decode()
    assert rest.partition("//#")[0] == built.partition("\n")[2].partition("//#")[0] and rest
    assert "<" not in front and config["key"] == "cab_</script>"
    assert (config["consent"], config["base"], config["munchkin"]) == ("denied", "/_a", "123-ABC-456")
    assert scripts.configured_script("cab_</script>", source)[1] == tag != scripts.configured_script("cab_y", source)[1]
    munchkin = scripts.configured_script("cab_y", source, files.MUNCHKIN)[0]
    assert munchkin.split(b"\n", 1)[0] == scripts.configured_script("cab_y", source)[0].split(b"\n", 1)[0]
    version = files.current_version()
    for wrong in (("1.0-b", "s.js"), ("..", "s.js"), (version, "../current.json"), (version, "other.js")):
        assert files.fixed_file(*wrong) is None
