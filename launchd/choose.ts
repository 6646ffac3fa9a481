/** Which service manager this system has: launchd on macOS, systemd on Linux. What a verb needs of either. */
import type { Host, ServiceInit } from './manager.js'
import { install, installedService, start } from './service.js'
import { canInstallUnit, installedUnit, installUnit, lingers, lingerSentence, startUnit } from './systemd.js'

export interface Manager {
  /** A service can be offered to this person here. */
  readonly canInstall: boolean
  /** Asks the disk only. */
  isInstalled(): boolean
  /** Installs and starts it. One sentence that the person should know, or null. */
  install(): Promise<string | null>
  /** One that runs is left alone. */
  start(): Promise<void>
}

export function managerOf(init: ServiceInit, host: Host): Manager {
  return host.platform === 'linux' ? systemd(init, host) : launchd(init, host)
}

function systemd(init: ServiceInit, host: Host): Manager {
  return {
    canInstall: canInstallUnit(host),
    isInstalled: () => installedUnit(init, host) !== null,
    install: async () => {
      await installUnit(init, host)
      return lingers(host) ? null : lingerSentence(host)
    },
    start: () => startUnit(init, host),
  }
}

function launchd(init: ServiceInit, host: Host): Manager {
  return {
    canInstall: host.platform === 'darwin',
    isInstalled: () => installedService(init, host) !== null,
    install: async () => {
      await install(init, host)
      return null
    },
    start: () => start(init, host),
  }
}
