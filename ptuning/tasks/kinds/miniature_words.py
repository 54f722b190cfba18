"""Common English words, each a single word piece of BERT, that the miniatures are written with."""

from __future__ import annotations

WOMEN = ["Anna", "Mary", "Lucy", "Emma", "Kate", "Jane", "Sarah", "Alice", "Helen", "Laura"]
MEN = ["Tom", "John", "Paul", "Jack", "Mark", "Peter", "James", "David", "Henry", "Frank"]
PEOPLE = WOMEN + MEN
THINGS = [
    "lamp", "book", "drum", "coat", "ring", "vase", "bowl", "card", "hat", "chair",
    "clock", "knife", "map", "cup", "bell", "box", "flag", "boat", "doll", "key",
    "ball", "bag", "shirt", "desk", "radio", "camera", "piano", "guitar", "mirror", "bottle",
    "basket", "blanket", "ladder", "hammer", "phone", "watch", "letter", "candle", "brush", "rope",
]  # fmt: skip
SURNAMES = [
    "Lincoln",
    "Jackson",
    "Austin",
    "Houston",
    "Jordan",
    "Hamilton",
    "Chelsea",
    "Victoria",
    "Wellington",
    "Sydney",
    "Florence",
    "Kent",
    "Warwick",
    "Bradford",
    "Stanley",
    "Cooper",
    "Baker",
    "Miller",
    "Marshall",
    "Ford",
    "Douglas",
    "Logan",
    "Morgan",
    "Murray",
    "Preston",
    "Spencer",
    "Stuart",
    "Sterling",
    "Clinton",
    "Madison",
]  # names of people, places and firms alike
