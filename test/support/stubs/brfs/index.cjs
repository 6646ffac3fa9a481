// webtorrent-fixtures names this browserify transform as a dependency; nothing here uses it.
module.exports = {}
