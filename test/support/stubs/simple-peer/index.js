// bittorrent-tracker imports this for WebRTC, which the tests never use; the real one needs a native build.
export default class Peer {}
