"""What Python's search for garbage passes over."""

import gc


def pass_over_what_is_loaded() -> None:
    """
    Let the search for garbage pass over all that is there now: in a process that stays, it stays.

    Half a million objects of Django's were looked at again and again while a large file was made,
    which took as long as the file itself.
    """
    gc.collect()
    gc.freeze()
