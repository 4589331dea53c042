"""An independent reader of PowerShell's serialized objects (CLIXML), after the public description of the format.

It is strict on purpose: what it does not know, and references that lead nowhere, are errors.
"""

import re
import uuid
from datetime import datetime
from xml.etree import ElementTree

NAMESPACE = "{http://schemas.microsoft.com/powershell/2004/04}"


class Deserialized(dict):
    """The properties of an object, with its type names and its text."""

    type_names: tuple = ()
    text: str | None = None


def _unescaped(text):
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match.group(1), 16)), text or "")


def _time(text):
    # Seven digits of a second are one more than Python has.
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


_SIMPLE = {
    "S": _unescaped,
    "I16": int,
    "I32": int,
    "I64": int,
    "U16": int,
    "U32": int,
    "U64": int,
    "By": int,
    "D": float,
    "Db": float,
    "G": uuid.UUID,
    "DT": _time,
    "TS": str,
    "URI": _unescaped,
    "Version": str,
}


class _Reader:
    def __init__(self):
        self.objects = {}
        self.types = {}

    def value(self, element):
        tag = element.tag.removeprefix(NAMESPACE)
        if tag in _SIMPLE:
            if len(element):
                raise ValueError(f"<{tag}> has children")
            return _SIMPLE[tag](element.text or "")
        if tag == "B":
            return {"true": True, "false": False}[element.text]
        if tag == "Nil":
            return None
        if tag == "Ref":
            return self.objects[element.attrib["RefId"]]
        if tag == "Obj":
            return self.object(element)
        raise ValueError(f"unknown element <{tag}>")

    def object(self, element):
        made = Deserialized()
        place = element.attrib["RefId"]
        if place in self.objects:
            raise ValueError(f"RefId {place} is used twice")
        self.objects[place] = made
        items = None
        for part in element:
            tag = part.tag.removeprefix(NAMESPACE)
            if tag == "TN":
                made.type_names = tuple(_unescaped(name.text) for name in part)
                self.types[part.attrib["RefId"]] = made.type_names
            elif tag == "TNRef":
                made.type_names = self.types[part.attrib["RefId"]]
            elif tag == "ToString":
                made.text = _unescaped(part.text)
            elif tag in ("Props", "MS"):
                for member in part:
                    name = _unescaped(member.attrib["N"])
                    if name in made:
                        raise ValueError(f"{name} appears twice")
                    made[name] = self.value(member)
            elif tag in ("LST", "IE", "STK", "QUE"):
                items = [self.value(item) for item in part]
            else:
                raise ValueError(f"unknown part <{tag}>")
        if items is not None:
            self.objects[place] = items
            return items
        return made


def loads(text):
    """Every object of a document."""
    root = ElementTree.fromstring(text)
    if root.tag != f"{NAMESPACE}Objs" or root.attrib.get("Version") != "1.1.0.1":
        raise ValueError(f"not serialized objects: {root.tag} {root.attrib}")
    reader = _Reader()
    return [reader.value(element) for element in root]
