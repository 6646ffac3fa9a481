import { describe, expect, it } from 'vitest'
import { redactText, redactTracker, redactWebSeed } from '../../shared/torrent/redact.js'

describe('redactTracker', () => {
  it.each([
    ['http://t.org/announce?passkey=0123456789abcdef', 'http://t.org/announce?passkey=***'],
    ['http://t.org/announce.php?pid=42&x=1', 'http://t.org/announce.php?pid=***&x=1'],
    [
      'https://t.org/a?authkey=q&torrent_pass=r&uid=7&key=k',
      'https://t.org/a?authkey=***&torrent_pass=***&uid=***&key=***',
    ],
    ['http://t.org/0123456789abcdef0123456789abcdef/announce', 'http://t.org/***/announce'],
    ['http://t.org:2710/announce/ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 'http://t.org:2710/announce/***'],
    ['http://t.org/AbC3_ef-hij012345678/announce', 'http://t.org/***/announce'],
    ['http://me:secret@t.org/announce', 'http://***@t.org/announce'],
    ['udp://t.org:80/deadbeef01/announce', 'udp://t.org:80/***/announce'],
    ['http://0a1b2c3d4e5f60718293.t.org/announce', 'http://***.t.org/announce'],
    ['http://t.org/announce;key=abc', 'http://t.org/announce;key=***'],
    ['http://t.org/announce?0123456789abcdef0123456789abcdef', 'http://t.org/announce?***'],
    ['http://t.org/announce?x=0123456789abcdef#0123456789abcdef', 'http://t.org/announce?x=***#***'],
    ['junk/0123456789abcdef', 'junk/***'],
    // The first letter is a Cyrillic one.
    ['http://\u0430pple.com:8080/announce', 'http://xn--pple-43d.com:8080/announce'],
    [
      'http://me@\u0442\u0440\u0435\u043a\u0435\u0440\u0441\u0435\u0440\u0432\u0435\u0440.org/',
      'http://***@xn--b1afaab0a4bdbcgg.org/',
    ],
  ])('%s', (url, shown) => {
    expect(redactTracker(url)).toBe(shown)
  })

  it.each([
    'udp://tracker.opentrackr.org:1337/announce',
    'http://torrent.ubuntu.com:6969/announce',
    'https://tracker.example.com/tracker/announce.php?compact=1&port=6881',
    'http://[2001:db8::1]:80/announce',
    'http://127.0.0.1:8080/announce',
    '',
  ])('leaves %s alone', (url) => {
    expect(redactTracker(url)).toBe(url)
  })
})

describe('redactWebSeed', () => {
  it('keeps the path, which names files', () => {
    expect(redactWebSeed('http://u:p@w.org/ubuntu-14.04.1-server-amd64/0123456789abcdef?token=x&v=1')).toBe(
      'http://***@w.org/ubuntu-14.04.1-server-amd64/0123456789abcdef?token=***&v=1',
    )
  })
})

describe('redactText', () => {
  it('finds the URLs in a message', () => {
    expect(redactText('moved to "http://t.org/a?passkey=abc", ask again')).toBe(
      'moved to "http://t.org/a?passkey=***", ask again',
    )
  })
})
