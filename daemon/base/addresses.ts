/** The addresses of this machine at one moment. */

export class Addresses {
  readonly #hosts: ReadonlySet<string>

  /** As the port `addresses` says them: "eth0 10.0.0.2, lo 127.0.0.1". */
  constructor(line: string) {
    this.#hosts = new Set(line.split(', ').map((each) => each.slice(each.indexOf(' ') + 1)))
  }

  /** Whether a socket from there still is one of ours; the whole of 127.0.0.0/8 always is, and '' may be. */
  holds(local: string): boolean {
    const host = local.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '')
    return host === '' || host.startsWith('127.') || this.#hosts.has(host)
  }
}
