/** Ctrl-C for a verb that goes on until then. */

/** `stop` resolves at Ctrl-C; `end` gives the key back. */
export function interruption(): { readonly stop: Promise<'stop'>; readonly end: () => void } {
  let onInterrupt = (): void => undefined
  const stop = new Promise<'stop'>((resolve) => {
    onInterrupt = () => resolve('stop')
  })
  process.on('SIGINT', onInterrupt)
  return { stop, end: () => void process.off('SIGINT', onInterrupt) }
}
