"""Drives one libtorrent session by lines of JSON on standard input; each question gets one line of answer."""

import json
import sys

import libtorrent as lt

ADDRESS = sys.argv[1]
# HOST:PORT of a node: a closed DHT begins there. Without it there is none.
DHT = sys.argv[2] if len(sys.argv) > 2 else ""
# "lsd": it speaks to the local network.
LSD = len(sys.argv) > 3 and sys.argv[3] == "lsd"
# "secret": it refuses plain handshakes.
SECRET = len(sys.argv) > 4 and sys.argv[4] == "secret"
POLICY = int(lt.enc_policy.pe_forced if SECRET else lt.enc_policy.pe_disabled)
handles = {}
seen = {}

session = lt.session(
    {
        "listen_interfaces": ("[%s]:6881" if ":" in ADDRESS else "%s:6881") % ADDRESS,
        "outgoing_interfaces": ADDRESS,
        "ssrf_mitigation": False,
        "allow_multiple_connections_per_ip": True,
        "enable_dht": DHT != "",
        "dht_bootstrap_nodes": DHT,
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "dht_enforce_node_id": False,
        "enable_lsd": LSD,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "in_enc_policy": POLICY,
        "out_enc_policy": POLICY,
        "prefer_rc4": SECRET,
    }
)


def add(ask):
    if "magnet" in ask:
        params = lt.parse_magnet_uri(ask["magnet"])
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(ask["file"])
    params.save_path = ask["dir"]
    params.flags &= ~lt.torrent_flags.auto_managed
    params.flags &= ~lt.torrent_flags.paused
    handle = session.add_torrent(params)
    if "uploadLimit" in ask:
        handle.set_upload_limit(ask["uploadLimit"])
    handles[ask["hash"]] = handle
    return {}


def transfer(ask):
    status = handles[ask["hash"]].status()
    checking = status.state in (
        lt.torrent_status.checking_files,
        lt.torrent_status.checking_resume_data,
    )
    return {
        "progress": 0 if checking else status.progress,
        "seeding": status.is_seeding and not checking,
        "downloaded": status.total_payload_download,
        "uploaded": status.total_payload_upload,
        "error": status.errc.message() if status.errc.value() else "",
    }


def peers(ask):
    return [
        {"host": peer.ip[0], "downloaded": peer.total_download, "uploaded": peer.total_upload}
        for peer in handles[ask["hash"]].get_peer_info()
    ]


def pieces_out(ask):
    """How many pieces some peer had at this look or an earlier one: who has all of them hangs up."""
    out = seen.setdefault(ask["hash"], set())
    for peer in handles[ask["hash"]].get_peer_info():
        out.update(piece for piece, there in enumerate(peer.pieces) if there)
    return len(out)


def super_seed(ask):
    handles[ask["hash"]].set_flags(lt.torrent_flags.super_seeding)
    return {}


def wait_to_be_dialled(ask):
    """What it seeds it offers to those who come; it calls nobody itself."""
    session.apply_settings({"seeding_outgoing_connections": False})
    return {}


VERBS = {
    "add": add,
    "peers": peers,
    "piecesOut": pieces_out,
    "superSeed": super_seed,
    "transfer": transfer,
    "waitToBeDialled": wait_to_be_dialled,
    "version": lambda ask: lt.version,
}

for line in sys.stdin:
    question = json.loads(line)
    try:
        answer = {"result": VERBS[question["verb"]](question)}
    except Exception as error:  # the test shall see it, whatever it is
        answer = {"error": repr(error)}
    answer["id"] = question["id"]
    print(json.dumps(answer), flush=True)
