import gc
import sys

from backoffice import web_server


def test_a_web_process_loads_all_pages_and_searches_none_of_them_for_garbage():
    searched = len(gc.get_objects())
    try:
        web_server.post_worker_init(None)

        assert "users.views.help" in sys.modules
        assert len(gc.get_objects()) < searched / 10
    finally:
        gc.unfreeze()
