/** Connections of the whole daemon; a torrent asks before it makes one. */
export interface ConnectionBudget {
  take(): boolean
  give(): void
}
