"""Azure's regions: the two spellings of their names, and what was probably intended by a name that is none."""

from __future__ import annotations

import difflib
import re

from fairing_az_jupyter.settings.naming import BrokenRuleError, tidy

AZURE_REGIONS = "https://learn.microsoft.com/azure/reliability/regions-list"

# That page, `az account list-locations` in the US Government's and China's clouds, and the regions announced.
KNOWN_REGIONS: frozenset[str] = frozenset(
    """
    australiacentral australiacentral2 australiaeast australiasoutheast austriaeast belgiumcentral brazilsouth
    brazilsoutheast canadacentral canadaeast centralindia centralus chilecentral denmarkeast eastasia eastus eastus2
    eastus3 finlandcentral francecentral francesouth germanynorth germanywestcentral greececentral indiasouthcentral
    indonesiacentral israelcentral italynorth japaneast japanwest jioindiacentral jioindiawest koreacentral
    koreasouth malaysiawest mexicocentral newzealandnorth northcentralus northeurope norwayeast norwaywest
    polandcentral qatarcentral saudiarabiaeast southafricanorth southafricawest southcentralus southeastasia
    southeastus southindia spaincentral swedencentral swedensouth switzerlandnorth switzerlandwest taiwannorth
    taiwannorthwest uaecentral uaenorth uksouth ukwest westcentralus westeurope westindia westus westus2 westus3
    usdodcentral usdodeast usgovarizona usgovtexas usgovvirginia usseceast ussecwest chinaeast chinaeast2 chinaeast3
    chinanorth chinanorth2 chinanorth3
    """.split()  # noqa: SIM905 - ninety lines otherwise
)

_FORM = re.compile(r"[A-Za-z][A-Za-z0-9]*(?: [A-Za-z0-9]+)*")
_LONGEST = 60
_COMPASS = re.compile(r"north|south|east|west|central")


def region_name(text: str) -> str:
    """Return the one spelling by which regions compare: `North Europe` and `NorthEurope` are `northeurope`.

    Args:
        text: A region in either spelling.

    Returns:
        The name that Azure's APIs use.

    """
    return re.sub(r"\s+", "", text).lower()


def region(text: str) -> str:
    """Accept an Azure region in either spelling, and keep the spelling.

    Azure opens regions faster than packages are released, so a name that is in no list is accepted unless it looks
    like a slip of the pen in one that is.

    Args:
        text: Such as `northeurope`, `NorthEurope` or `North Europe`.

    Returns:
        The same text.

    Raises:
        BrokenRuleError: It has not the form of a region's name, or is probably a misspelt one.

    Source: the "programmatic name" and "region" columns of Azure's list of regions.

    """
    if not _FORM.fullmatch(text) or len(text) > _LONGEST:
        corrected = region_name(re.sub(r"[_-]+|\(.*?\)", "", tidy(text)))
        raise BrokenRuleError(
            "is not written as a region's name: letters, digits and single blanks",
            corrected=corrected if corrected in KNOWN_REGIONS else "",
        )
    name = region_name(text)
    if name not in KNOWN_REGIONS:
        _reject_typo(name)
    return text


def _parts(name: str) -> tuple[str, tuple[str, ...], str]:
    """Split `eastus2` into its place, its points of the compass in alphabetical order, and its number."""
    stem = name.rstrip("0123456789")
    return _COMPASS.sub("", stem), tuple(sorted(_COMPASS.findall(stem))), name[len(stem) :]


def _reject_typo(name: str) -> None:
    known = {each: _parts(each) for each in sorted(KNOWN_REGIONS)}
    place, compass, number = _parts(name)
    for other, parts in known.items():
        if parts == (place, compass, number):
            raise BrokenRuleError("is not an Azure region: its words are in the wrong order", corrected=other)
    places = {parts[0] for parts in known.values()}
    if place in places:
        if compass:
            return
        there = ", ".join(other for other, parts in known.items() if parts[0] == place)
        raise BrokenRuleError(f"is not an Azure region; the regions there are {there}")
    near = difflib.get_close_matches(place, places, n=1, cutoff=0.8) if compass else []
    meant = [other for other, parts in known.items() if near and parts == (near[0], compass, number)]
    # Points of the compass alone make names alike: icelandcentral is not a slip for finlandcentral.
    meant = meant or difflib.get_close_matches(name, known, n=1, cutoff=0.9 if compass else 0.85)
    if meant:
        raise BrokenRuleError("is not an Azure region", corrected=meant[0])
