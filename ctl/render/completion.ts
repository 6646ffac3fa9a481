/** Scripts that let a shell complete commands, options and ids. */
import { globalOptions, type OptionSpec, type ShownVerb } from '../tree.js'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

export function renderCompletion(shell: Shell, verbs: readonly ShownVerb[]): string {
  return { bash, zsh, fish }[shell](verbs)
}

/** What the words after a verb are. */
type Words = 'ids' | 'files' | readonly string[]

function wordsOf({ words }: ShownVerb): Words {
  const [first] = words
  if (first === undefined) return []
  if (first.name === 'id' || first.name === 'ids') return 'ids'
  return first.choices.length > 0 ? first.choices : first.name.startsWith('file') ? 'files' : []
}

const optionsOf = (verb: ShownVerb): readonly OptionSpec[] => [...verb.options, ...globalOptions()]
const dashed = ({ name }: OptionSpec): string => `--${name}`

/** Lines of a `case` for options whose values are known words. */
function valueCases(verbs: readonly ShownVerb[], line: (choices: string) => string): string {
  return verbs
    .flatMap((verb) =>
      verb.options
        .filter(({ choices }) => choices.length > 0)
        .map((option) => `    ${verb.name}:--${option.name}) ${line(option.choices.join(' '))} ;;\n`),
    )
    .join('')
}

/** Values of these are files or folders. */
const FILE_OPTIONS = ['dir', 'home', 'output']
const names = ({ name, aliases }: ShownVerb): string => [name, ...aliases].join('|')
const every = (verbs: readonly ShownVerb[]): string => verbs.map(({ name }) => name).join(' ')

/** What a shell's script notes down of the arguments of a verb: ids, files, one of these words, or nothing. */
function argumentOf(verb: ShownVerb, oneOf: (words: string) => string): string {
  const words = wordsOf(verb)
  if (words === 'ids') return 'ids=1'
  if (words === 'files') return 'files=1'
  return words.length > 0 ? oneOf(words.join(' ')) : ':'
}

function bash(verbs: readonly ShownVerb[]): string {
  const cases = verbs.map((verb) => {
    const more = argumentOf(verb, (words) => `words='${words}'`)
    return `    ${names(verb)}) options='${optionsOf(verb).map(dashed).join(' ')}'; ${more} ;;\n`
  })
  // Without mapfile: the bash that comes with macOS is 3.2.
  return `# bash completion of torrentinoctl: eval "$(torrentinoctl completion bash)"
_torrentinoctl_offer() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do COMPREPLY+=("$line"); done
}
_torrentinoctl() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} verb= options= words= ids= files= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
    --home) ((i++)) ;;
    -*) ;;
    *) verb=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $prev in
    ${FILE_OPTIONS.map((name) => `--${name}`).join('|')}) _torrentinoctl_offer < <(compgen -f -- "$cur"); return ;;
  esac
  case $verb:$prev in
${valueCases(verbs, (choices) => `_torrentinoctl_offer < <(compgen -W '${choices}' -- "$cur"); return`)}  esac
  case $verb in
    '') words='${every(verbs)}'; options='${globalOptions().map(dashed).join(' ')}'; files=1 ;;
${cases.join('')}  esac
  case $cur in
    -*) _torrentinoctl_offer < <(compgen -W "$options" -- "$cur"); return ;;
  esac
  [ -z "$ids" ] || words="all $(torrentinoctl list --template '{{id}}' 2>/dev/null)"
  _torrentinoctl_offer < <(compgen -W "$words" -- "$cur"; [ -z "$files" ] || compgen -f -- "$cur")
}
complete -o filenames -F _torrentinoctl torrentinoctl
`
}

function zsh(verbs: readonly ShownVerb[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
  const cases = verbs.map((verb) => {
    const more = argumentOf(verb, (words) => `choices=(${words})`)
    const options = optionsOf(verb).map((option) =>
      quoted(`--${option.name}:${option.describe.replaceAll(':', '\\:')}`),
    )
    return `    ${names(verb)}) options=(${options.join(' ')}); ${more} ;;\n`
  })
  const listed = verbs.map(({ name, describe }) => quoted(`${name}:${describe.replaceAll(':', '\\:')}`))
  return `#compdef torrentinoctl
# zsh completion of torrentinoctl: torrentinoctl completion zsh > "\${fpath[1]}/_torrentinoctl"
_torrentinoctl() {
  local cur=\${words[CURRENT]} prev=\${words[CURRENT-1]} verb= ids= files= i
  local -a options choices known
  for ((i = 2; i < CURRENT; i++)); do
    case \${words[i]} in
    --home) ((i++)) ;;
    -*) ;;
    *) verb=\${words[i]}; break ;;
    esac
  done
  case $prev in
    ${FILE_OPTIONS.map((name) => `--${name}`).join('|')}) _files; return ;;
  esac
  case $verb:$prev in
${valueCases(verbs, (choices) => `compadd -- ${choices}; return`)}  esac
  case $verb in
    '') known=(${listed.join(' ')}); _describe command known; files=1 ;;
${cases.join('')}  esac
  case $cur in
    -*) _describe option options; return ;;
  esac
  (( $#choices )) && compadd -- $choices
  if [[ -n $ids ]]; then
    known=("\${(@f)$(torrentinoctl list --template '{{id}}:{{name}}' 2>/dev/null)}")
    _describe torrent known
    compadd -- all
  fi
  [[ -z $files ]] || _files
}
if [[ $funcstack[1] == _torrentinoctl ]]; then _torrentinoctl "$@"; else compdef _torrentinoctl torrentinoctl; fi
`
}

function fish(verbs: readonly ShownVerb[]): string {
  const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const add = 'complete -c torrentinoctl'
  const option = ({ name, short, takesValue, choices, describe }: OptionSpec, seen: string): string =>
    `${add}${seen} -l ${name}${short === null ? '' : ` -s ${short}`}${takesValue ? ' -r' : ''}` +
    `${choices.length > 0 ? ` -x -a ${quoted(choices.join(' '))}` : ''} -d ${quoted(describe)}\n`
  const lines = verbs.flatMap((verb) => {
    const seen = ` -n '__fish_seen_subcommand_from ${[verb.name, ...verb.aliases].join(' ')}'`
    const words = wordsOf(verb)
    const more =
      words === 'ids'
        ? `${add}${seen} -f -a "all (torrentinoctl list --template '{{id}}\\t{{name}}' 2>/dev/null)"\n`
        : words === 'files' || words.length === 0
          ? ''
          : `${add}${seen} -f -a ${quoted(words.join(' '))}\n`
    return [
      `${add} -n __fish_use_subcommand -a ${verb.name} -d ${quoted(verb.describe)}\n`,
      ...verb.options.map((each) => option(each, seen)),
      more,
    ]
  })
  return (
    '# fish completion of torrentinoctl: torrentinoctl completion fish | source\n' +
    globalOptions()
      .map((each) => option(each, ''))
      .join('') +
    lines.join('')
  )
}
