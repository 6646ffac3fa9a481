/** Every verb, in the groups that --help and docs/cli.md show, with examples that can be typed as they stand. */
import { addCommand } from './commands/add.js'
import { announceCommand } from './commands/announce.js'
import { backupCommand } from './commands/backup.js'
import { completionCommand } from './commands/completion.js'
import { configCommand } from './commands/config.js'
import { daemonCommand } from './commands/daemon.js'
import { dhtCommand } from './commands/dht.js'
import { eventsCommand } from './commands/events.js'
import { exportCommand } from './commands/export.js'
import { filesCommand } from './commands/files.js'
import { inspectCommand } from './commands/inspect.js'
import { labelCommand } from './commands/label.js'
import { limitCommand } from './commands/limit.js'
import { listCommand } from './commands/list.js'
import { logCommand } from './commands/log.js'
import { magnetCommand } from './commands/magnet.js'
import { moveCommand } from './commands/move.js'
import { openCommand } from './commands/open.js'
import { pauseCommand } from './commands/pause.js'
import { peersCommand } from './commands/peers.js'
import { queueCommand } from './commands/queue.js'
import { removeCommand } from './commands/remove.js'
import { renameCommand } from './commands/rename.js'
import { restoreCommand } from './commands/restore.js'
import { resumeCommand } from './commands/resume.js'
import { rpcCommand } from './commands/rpc.js'
import { seedCommand } from './commands/seed.js'
import { selectCommand } from './commands/select.js'
import { serviceCommand } from './commands/service.js'
import { showCommand } from './commands/show.js'
import { statusCommand } from './commands/status.js'
import { trashCommand, undoCommand } from './commands/trash.js'
import { topCommand } from './commands/top.js'
import { trackersCommand } from './commands/trackers.js'
import { verifyCommand } from './commands/verify.js'
import { waitCommand } from './commands/wait.js'
import { watchCommand } from './commands/watch.js'
import { whyCommand } from './commands/why.js'
import { type Declare, type Example, type ShownGroup, verbOf } from './tree.js'

interface Verb {
  readonly declare: Declare
  /** One to three. */
  readonly examples: readonly Example[]
}

interface Group {
  readonly title: string
  readonly verbs: readonly Verb[]
}

const verb = (declare: Declare, ...examples: Example[]): Verb => ({ declare, examples })

export const GROUPS: readonly Group[] = [
  {
    title: 'Add and get',
    verbs: [
      verb(
        addCommand,
        ['add ubuntu.torrent', 'download it; torrentinoctl ubuntu.torrent does the same'],
        ["add 'magnet:?xt=urn:btih:HASH' --follow", 'from a magnet link, with a bar until it is complete'],
        ["add film.torrent --dir ~/Films --select '*.mkv'", 'only these files (or 1,3-5), into that folder'],
      ),
      verb(inspectCommand, ['inspect ubuntu.torrent', 'its files, size, hash and trackers']),
      verb(magnetCommand, ['magnet 3', 'its link'], ['magnet 3 --bare', 'without its trackers']),
      verb(
        exportCommand,
        ['export 3', 'write NAME.torrent here'],
        ['export 3 --output - | ssh box torrentinoctl add -', 'hand it on'],
      ),
    ],
  },
  {
    title: 'Look',
    verbs: [
      verb(
        listCommand,
        ['list', 'all torrents, one line each'],
        ['list --state downloading --sort eta', 'what is under way, the next one to end first'],
        [
          "list --template '{{id}} {{progress}} {{name}}'",
          'lines of your own; the names are those of --json',
        ],
      ),
      verb(topCommand, ['top', 'a bar for each; s sorts, p pauses, w says why, q quits']),
      verb(watchCommand, ['watch 3', 'a map of its pieces, its peers and its files; q quits']),
      verb(
        showCommand,
        ['show 3', 'all that is known of torrent 3'],
        ['show ab12', 'by the beginning of its hash'],
      ),
      verb(whyCommand, ['why 3', 'what is in the way, and what helps']),
      verb(filesCommand, ['files 3', 'its files, with the numbers that select takes']),
      verb(peersCommand, ['peers 3', 'who is connected, and how fast']),
      verb(
        trackersCommand,
        ['trackers 3', 'each tracker, what it answered, and when it is asked next'],
        ['trackers 3 --add udp://tracker.example:6969', 'one more, asked at once'],
        ["trackers 3 --remove 'https://tracker.example/***/announce'", 'as it is shown, or in full'],
      ),
      verb(
        eventsCommand,
        ['events', 'the latest 50'],
        ['events --follow', 'and what happens from now on'],
        ['events --since 120 --json', 'for programs: all after number 120'],
      ),
      verb(
        openCommand,
        ['open 3', 'its folder, or its file, in the program of the desktop'],
        ['open 3 --print', 'only where it is'],
      ),
      verb(
        dhtCommand,
        ['dht status', 'how many nodes it knows'],
        ['dht lookup HASH', 'who is in that swarm'],
      ),
    ],
  },
  {
    title: 'Change',
    verbs: [
      verb(
        pauseCommand,
        ['pause 3 5', 'stop two; they stay stopped after a restart'],
        ['pause all', 'stop every torrent'],
      ),
      verb(
        resumeCommand,
        ['resume 3', 'go on'],
        ['resume 3 --now', 'at once, past the queue'],
        ['resume all --start', 'start torrentinod too if it does not run'],
      ),
      verb(
        queueCommand,
        ['queue', 'who downloads, and who waits for a place'],
        ['queue 3 --top', 'this one first'],
        ['queue 3 5 --to 4', 'both from place 4 on'],
      ),
      verb(
        seedCommand,
        ['seed 3 --ratio 2', 'pause it when it has sent twice what it received'],
        ['seed all --time 7d --idle 12h', 'after a week of seeding, or half a day of silence'],
        ['seed 3 --none', 'seed this one for ever'],
      ),
      verb(
        selectCommand,
        ["select 3 1,3-5 '*.srt'", 'only these files; all is every file'],
        ["select 3 '*.mkv' --priority high", 'these before the others'],
        ['select 3 --sequential on --first-last on', 'to watch it while it comes'],
      ),
      verb(
        labelCommand,
        ['label 3 films keep', 'two labels more'],
        ['label 3 --remove keep', 'one less; --clear takes all'],
        ['label 3,5 --clear', 'none any more; list --label finds them by one'],
      ),
      verb(
        limitCommand,
        ['limit 3 --up 500K', 'torrent 3 sends no more than that'],
        ['limit --down 10M --up 2M', 'all torrents together'],
        ['limit 3 --up none', 'only what limits all'],
      ),
      verb(moveCommand, ['move 3 ~/Films --wait', 'bring its files there, and tell how far it is']),
      verb(
        renameCommand,
        ["rename 3 'Sintel (2010)'", 'the torrent, with its file or folder'],
        ["rename 3 '*.mkv' film.mkv", 'one of its files, or 2 for the second; the path may name folders'],
      ),
      verb(verifyCommand, ['verify 3', 'read all of it; what is wrong is downloaded again']),
      verb(announceCommand, ['announce 3', 'look for peers now']),
      verb(
        removeCommand,
        ['remove 3', 'into the trash; its files stay'],
        ['remove 3 --data', 'into the trash with its files; --now deletes them at once'],
        ['remove 3 --data --plan', 'what would be deleted, and what would stay'],
      ),
      verb(undoCommand, ['undo', 'the latest removal is taken back'], ['undo 3', 'this one']),
      verb(
        trashCommand,
        ['trash', 'what was removed, and when it goes for good'],
        ['trash --empty', 'delete all of it now'],
        ['trash --empty 3', 'only this one'],
      ),
      verb(
        waitCommand,
        ['wait 3', 'until it is complete'],
        ['wait 3 --for metadata', 'until the files of a magnet link are known'],
        ['wait all --timeout 2h && echo done', 'for two hours at most'],
      ),
    ],
  },
  {
    title: 'Daemon',
    verbs: [
      verb(statusCommand, ['status', 'version, port, rates, and where things lie']),
      verb(
        daemonCommand,
        ['daemon start', 'start it in the background'],
        ['daemon stop', 'write everything down and stop'],
        ['daemon run', 'run it here until Ctrl-C'],
      ),
      verb(
        logCommand,
        ['log', 'the latest 50 lines'],
        ['log --follow -n 10', 'the latest ten, and what comes'],
      ),
      verb(
        configCommand,
        ['config list', 'every setting'],
        ['config set limits.up 500000', 'send 500,000 bytes a second at most'],
        ['config get download.dir', 'one setting'],
      ),
      verb(backupCommand, ['backup', 'into a dated file'], ['backup ~/torrents.db', 'into this file']),
      verb(restoreCommand, ['restore ~/torrents.db', 'the list as it was in that backup']),
      verb(
        completionCommand(() => commandTree().flatMap(({ verbs }) => verbs)),
        ['completion bash >> ~/.bashrc', 'for every bash from now on'],
        ['completion fish | source', 'for this fish'],
      ),
      verb(rpcCommand, ['rpc rpc.discover', 'all methods'], ['rpc torrent.get \'{"id": 3}\'', 'one call']),
    ],
  },
  {
    title: 'Service',
    verbs: [
      verb(
        (cli) => cli.command(serviceCommand),
        ['service install', 'run torrentinod at every login'],
        ['service status', 'is it installed, does it run, why did it end'],
        ['service restart', 'after an upgrade'],
      ),
    ],
  },
]

/** The whole tree as data. */
export function commandTree(): ShownGroup[] {
  return GROUPS.map(({ title, verbs }) => ({
    title,
    verbs: verbs.map(({ declare, examples }) => ({ ...verbOf(declare), examples })),
  }))
}
