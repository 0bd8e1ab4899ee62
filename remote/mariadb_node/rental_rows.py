"""Makes up the rows of a film-rental data set of any size: the same ones for the same seed.

The shape is sakila's: for 1,000 films about 200 actors, 600 customers, 4,600 discs to rent and
16,000 rentals, each paid. Names and titles are put together from the short lists here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

Value = int | str | None
Row = tuple[Value, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_LANGUAGES = ("English", "French", "German", "Italian", "Japanese", "Mandarin")
_CATEGORIES = _words(
    "Action Animation Children Classics Comedy Documentary Drama Family Foreign Games Horror Music"
    " New Sci-Fi Sports Travel"
)
_FIRST_NAMES = _words(
    "ADA ALAN BARBARA CLAUDE DENNIS DONALD EDGER EDSGER FRANCES GRACE HEDY IVAN JEAN JOHN KATHLEEN"
    " KEN KONRAD LESLIE MARGARET NIKLAUS RADIA SOPHIE TONY VINT"
)
_LAST_NAMES = _words(
    "ALDER ASHE BIRCH BOXWOOD CEDAR CHERRY ELDER ELMS FERN FIRTH GORSE HAWTHORN HAZEL HOLLY IVES"
    " JUNIPER LARCH LAUREL LINDEN MAPLE OAKES PINE POPLAR ROWAN THORNE WILLOW YEW"
)
_TITLE_WORDS = _words(
    "AMBER ANCHOR ARCTIC BEACON BRIDGE CANYON CARAVAN CIRCUS CLOCK COMET COPPER CRYSTAL DESERT"
    " DISTANT DRAGON EMBER EMPTY FALCON FERRY FOREST GARDEN GLACIER GOLDEN HARBOR HIDDEN HOLLOW"
    " INDIGO ISLAND IVORY JOURNEY LANTERN LETTER MARBLE MEADOW MIDNIGHT MIRROR NORTHERN OCEAN"
    " ORCHARD PAPER PILOT QUIET RAVEN RIVER SECRET SHADOW SIGNAL SILVER SPIRAL STATION STORM"
    " SUMMER THUNDER TUNNEL VALLEY VELVET VIOLET WINDOW WINTER WITNESS"
)
_SYLLABLES = _words(
    "ba cor da fen gal hom is jor kel lun mar nor os par qui ros sel tam ul vor wen"
)
_RATINGS = ("G", "PG", "PG-13", "R", "NC-17")
_FEATURES = ("Trailers", "Commentaries", "Deleted Scenes", "Behind the Scenes")
_RATES = ("0.99", "2.99", "4.99")
_STREETS = ("Street", "Avenue", "Lane", "Road", "Way")
_BEGIN = datetime(2025, 1, 1)
_SPAN_S = 365 * 86400


@dataclass(frozen=True)
class Sizes:
    """How many rows each table has that does not follow from another."""

    films: int

    @property
    def actors(self) -> int:
        return max(5, self.films // 5)

    @property
    def customers(self) -> int:
        return max(10, self.films * 6 // 10)

    @property
    def discs(self) -> int:
        return max(self.films, self.films * 46 // 10)

    @property
    def rentals(self) -> int:
        return self.films * 16

    @property
    def stores(self) -> int:
        return 2 + self.films // 10_000

    @property
    def cities(self) -> int:
        return max(5, min(600, self.films * 6 // 10))

    @property
    def countries(self) -> int:
        return max(3, min(100, self.films // 10))


def rows(table: str, films: int, seed: int = 1) -> Iterator[Row]:
    """Yield the rows of a table, without its last column, which the server fills."""
    # Each table has a chance of its own: none depends on how another is made.
    return _MAKERS[table](Sizes(films), Random(f"{seed} {table}"))


def _named(names: tuple[str, ...]) -> Iterator[Row]:
    yield from ((number, name) for number, name in enumerate(names, 1))


def _languages(sizes: Sizes, chance: Random) -> Iterator[Row]:
    return _named(_LANGUAGES)


def _categories(sizes: Sizes, chance: Random) -> Iterator[Row]:
    return _named(_CATEGORIES)


def _actors(sizes: Sizes, chance: Random) -> Iterator[Row]:
    for number in range(1, sizes.actors + 1):
        yield number, chance.choice(_FIRST_NAMES), chance.choice(_LAST_NAMES)


def _films(sizes: Sizes, chance: Random) -> Iterator[Row]:
    for number in range(1, sizes.films + 1):
        first, second, third = chance.sample(_TITLE_WORDS, 3)
        features = sorted(chance.sample(_FEATURES, chance.randint(1, 4)))
        yield (
            number,
            f"{first} {second}",
            f"A {first.lower()} tale of a {second.lower()} and a {third.lower()}",
            chance.randint(1980, 2025),
            1,
            None,
            chance.randint(3, 7),
            chance.choice(_RATES),
            chance.randint(46, 185),
            f"{chance.randint(9, 29)}.99",
            chance.choice(_RATINGS),
            ",".join(features),
        )


def _film_actors(sizes: Sizes, chance: Random) -> Iterator[Row]:
    for film in range(1, sizes.films + 1):
        cast = chance.sample(range(1, sizes.actors + 1), chance.randint(2, 5))
        yield from ((actor, film) for actor in cast)


def _film_categories(sizes: Sizes, chance: Random) -> Iterator[Row]:
    for film in range(1, sizes.films + 1):
        yield film, chance.randint(1, len(_CATEGORIES))


def _countries(sizes: Sizes, chance: Random) -> Iterator[Row]:
    for number in range(1, sizes.countries + 1):
        yield number, _place(chance, 2) + "ia"


def _cities(sizes: Sizes, chance: Random) -> Iterator[Row]:
    for number in range(1, sizes.cities + 1):
        yield number, _place(chance, 3), chance.randint(1, sizes.countries)


def _addresses(sizes: Sizes, chance: Random) -> Iterator[Row]:
    for number in range(1, sizes.customers + 2 * sizes.stores + 1):
        yield (
            number,
            f"{chance.randint(1, 1999)} {_place(chance, 2)} {chance.choice(_STREETS)}",
            None,
            _place(chance, 2),
            chance.randint(1, sizes.cities),
            f"{chance.randint(10000, 99999)}",
            f"{chance.randint(10**11, 10**12 - 1)}",
        )


def _stores(sizes: Sizes, chance: Random) -> Iterator[Row]:
    for number in range(1, sizes.stores + 1):
        yield number, number, sizes.customers + number


def _staff(sizes: Sizes, chance: Random) -> Iterator[Row]:
    for number in range(1, sizes.stores + 1):
        first, last = chance.choice(_FIRST_NAMES).title(), chance.choice(_LAST_NAMES).title()
        address = sizes.customers + sizes.stores + number
        mail = f"{first}.{last}@rental.example"
        yield number, first, last, address, None, mail, number, 1, f"{first}{number}", None


def _customers(sizes: Sizes, chance: Random) -> Iterator[Row]:
    for number in range(1, sizes.customers + 1):
        first, last = chance.choice(_FIRST_NAMES), chance.choice(_LAST_NAMES)
        mail = f"{first}.{last}.{number}@customer.example"
        active = int(chance.random() < 0.97)
        store = chance.randint(1, sizes.stores)
        yield number, store, first, last, mail, number, active, str(_BEGIN)


def _discs(sizes: Sizes, chance: Random) -> Iterator[Row]:
    for number in range(1, sizes.discs + 1):
        yield number, (number - 1) % sizes.films + 1, chance.randint(1, sizes.stores)


def _rentals(sizes: Sizes, chance: Random) -> Iterator[Row]:
    for number in range(1, sizes.rentals + 1):
        # In the order of time, as they came in.
        began = _BEGIN + timedelta(seconds=number * _SPAN_S // (sizes.rentals + 1))
        back = began + timedelta(hours=chance.randint(12, 240))
        yield (
            number,
            str(began),
            chance.randint(1, sizes.discs),
            chance.randint(1, sizes.customers),
            str(back) if chance.random() < 0.99 else None,
            chance.randint(1, sizes.stores),
        )


def _payments(sizes: Sizes, chance: Random) -> Iterator[Row]:
    rentals = rows("rental", sizes.films, 1)
    for number, (rental, began, _, customer, _, staff) in enumerate(rentals, 1):
        amount = f"{chance.randint(0, 9)}.99"
        yield number, customer, staff, rental, amount, began


def _place(chance: Random, syllables: int) -> str:
    return "".join(chance.choice(_SYLLABLES) for _ in range(syllables)).title()


_MAKERS = {
    "language": _languages,
    "category": _categories,
    "actor": _actors,
    "film": _films,
    "film_actor": _film_actors,
    "film_category": _film_categories,
    "country": _countries,
    "city": _cities,
    "address": _addresses,
    "store": _stores,
    "staff": _staff,
    "customer": _customers,
    "inventory": _discs,
    "rental": _rentals,
    "payment": _payments,
}
