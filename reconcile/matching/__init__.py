"""Matching the rows of two extracts to one another, without the store (`bsshub reconcile try`).

`question` what was asked, `reading` the two files as text, `cells` money and dates out of text, `likeness` of free text,
`pairing` which rows may belong together, `belief` how surely, `grouping` one row for several, `answer` the files written.
"""
