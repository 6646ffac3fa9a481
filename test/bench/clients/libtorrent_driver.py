"""Drives one libtorrent session: a line of JSON a question on standard input, one of answer; a torrent that
becomes complete is told at once. SIGTERM ends it in order, so that all data are written."""

import json
import os
import signal
import sys
import threading

import libtorrent as lt

init = json.loads(sys.argv[1])
settings = lt.high_performance_seed() if init["tuned"] else {}
settings.update(
    {
        "listen_interfaces": "%s:%d" % (init["address"], init["port"]),
        "outgoing_interfaces": init["address"],
        "ssrf_mitigation": False,
        "allow_multiple_connections_per_ip": True,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "in_enc_policy": int(lt.enc_policy.pe_disabled),
        "out_enc_policy": int(lt.enc_policy.pe_disabled),
        "alert_mask": int(lt.alert.category_t.status_notification | lt.alert.category_t.storage_notification),
    }
)
if init["tuned"]:
    settings.update({"aio_threads": 8, "hashing_threads": 2})
    settings["mixed_mode_algorithm"] = int(lt.bandwidth_mixed_algo_t.prefer_tcp)
if init["crowd"]:
    settings.update({"connections_limit": 2000, "unchoke_slots_limit": -1, "listen_queue_size": 300})

session = lt.session(settings)
handles = {}
lock = threading.Lock()
flushed = threading.Semaphore(0)


def say(line):
    with lock:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def watch():
    while True:
        if session.wait_for_alert(1000) is None:
            continue
        for alert in session.pop_alerts():
            if isinstance(alert, lt.torrent_finished_alert):
                say({"finished": str(alert.handle.info_hash())})
            elif isinstance(alert, lt.cache_flushed_alert):
                flushed.release()


def add(ask):
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(ask["file"])
    params.save_path = ask["dir"]
    params.flags &= ~lt.torrent_flags.auto_managed
    params.flags &= ~lt.torrent_flags.paused
    handles[ask["hash"]] = session.add_torrent(params)
    return {}


def status(ask):
    handle = handles[ask["hash"]]
    now = handle.status()
    checking = now.state in (lt.torrent_status.checking_files, lt.torrent_status.checking_resume_data)
    return {
        # total_done has blocks of unfinished pieces in it.
        "done": 0 if checking else min(now.total_wanted, now.num_pieces * handle.torrent_file().piece_length()),
        "seeding": now.is_seeding and not checking,
        "wasted": now.total_redundant_bytes + now.total_failed_bytes,
        "uploaded": now.total_payload_upload,
    }


VERBS = {"add": add, "status": status, "ready": lambda ask: {}}


def leave(number, frame):
    for handle in handles.values():
        handle.flush_cache()
    for _ in handles:
        flushed.acquire(timeout=10)
    os._exit(0)


signal.signal(signal.SIGTERM, leave)
threading.Thread(target=watch, daemon=True).start()
for line in sys.stdin:
    question = json.loads(line)
    try:
        answer = {"result": VERBS[question["verb"]](question)}
    except Exception as error:  # the runner shall see it, whatever it is
        answer = {"error": repr(error)}
    answer["id"] = question["id"]
    say(answer)
