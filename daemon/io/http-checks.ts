/** Which URLs of a torrent may be asked at which address: it must not make us drive services of the local network. */
import { classOf } from '../base/address.js'
import type { AddressCheck } from './http.js'

/** Trackers: on this machine only announce paths are asked. */
export const nearAnnounceOnly: AddressCheck = (url, address) => {
  if (classOf(address.host) !== 'loopback' || url.pathname.startsWith('/announce')) return null
  return { code: 'out-of-scope', detail: 'on this machine only paths that begin with /announce are asked' }
}

/** Scrapes: on this machine only scrape paths are asked. */
export const nearScrapeOnly: AddressCheck = (url, address) => {
  if (classOf(address.host) !== 'loopback' || url.pathname.startsWith('/scrape')) return null
  return { code: 'out-of-scope', detail: 'on this machine only paths that begin with /scrape are asked' }
}

/** Web seeds: in the local network and on this machine no query is sent, as it could carry a command. */
export const nearWithoutQuery: AddressCheck = (url, address) => {
  if (classOf(address.host) === 'internet' || url.search === '') return null
  return { code: 'out-of-scope', detail: 'in the local network only addresses without a query are asked' }
}
