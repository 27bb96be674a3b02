"""
Imports of users: uploaded, matched, checked, applied and undone, in sets (docs/adr).

`uploading` keeps the file, `checking` finds each row's verdict, `applying` and `undoing` change
users in batches, `report` shows rows; each step may be begun again after a kill.
"""
