#!/usr/bin/env python3
"""A `systemctl --user` for tests that supervises for real, driven by the unit's file alone: each key is obeyed or
refused. State lies in $STAND_IN: `calls` records each call with its XDG_RUNTIME_DIR, `no-bus` makes every call fail,
`scale` is what RestartSec and WatchdogSec are multiplied by, `told` what the daemon said, `UNIT.json` how it is.
Nothing here touches the machine's own systemd."""
import json, os, re, select, signal, socket, sys, time

STATE = os.environ['STAND_IN']
UNITS = os.path.join(os.environ['HOME'], '.config/systemd/user')
WITHIN = 30
OBEYED = {
    'Type', 'NotifyAccess', 'TimeoutStartSec', 'WatchdogSec', 'ExecStart', 'Environment', 'WorkingDirectory',
    'Restart', 'RestartPreventExitStatus', 'RestartSec', 'KillMode', 'TimeoutStopSec', 'LimitNOFILE', 'WantedBy',
    'StartLimitIntervalSec', 'Description',
    # Not shown here: the kernel's part.
    'NoNewPrivileges', 'LockPersonality', 'RestrictRealtime', 'RestrictNamespaces', 'SystemCallArchitectures',
}


def path(name):
    return os.path.join(STATE, name)


def fail(words, status=1):
    print(words, file=sys.stderr)
    sys.exit(status)


def words_of(text):
    """systemd.syntax(7): double quotes, backslashes in them, and %% for a percent sign."""
    words = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', text)
    joined = [re.sub(r'\\(.)', r'\1', quoted) if quoted else bare for quoted, bare in words]
    for word in joined:
        if re.search(r'%(?!%)', word.replace('%%', '')):
            fail(f'a specifier in {word}')
    return [word.replace('%%', '%') for word in joined]


def read_unit(unit):
    keys = {}
    with open(os.path.join(UNITS, unit), encoding='utf-8') as file:
        for line in file.read().split('\n'):
            if not line or line[0] in '#;[':
                continue
            key, value = line.split('=', 1)
            if key not in OBEYED:
                fail(f'{key} is not obeyed here')
            keys.setdefault(key, []).append(value)
    return keys


def load(unit):
    try:
        with open(path(unit + '.json'), encoding='utf-8') as file:
            return json.load(file)
    except FileNotFoundError:
        return {'ActiveState': 'inactive', 'SubState': 'dead', 'MainPID': 0, 'NRestarts': 0, 'supervisor': 0}


def save(unit, state):
    beside = path(f'{unit}.{os.getpid()}.tmp')
    with open(beside, 'w', encoding='utf-8') as file:
        json.dump(state, file)
    os.rename(beside, path(unit + '.json'))


class Supervisor:
    def __init__(self, unit):
        self.unit = unit
        self.keys = read_unit(unit)
        self.scale = float(open(path('scale')).read()) if os.path.exists(path('scale')) else 1
        self.stopping = False
        self.state = {'NRestarts': 0, 'supervisor': os.getpid(), 'starts': []}
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.address = path('notify')
        if os.path.exists(self.address):
            os.unlink(self.address)
        self.socket.bind(self.address)
        signal.signal(signal.SIGTERM, self.stop)

    def one(self, key):
        return self.keys[key][-1]

    def seconds(self, key):
        return float(self.one(key)) * self.scale if key in self.keys else None

    def stop(self, *_):
        self.stopping = True

    def put(self, **more):
        self.state.update(more)
        save(self.unit, self.state)

    def spawn(self):
        argv = words_of(self.one('ExecStart'))
        argv = [argv[0]] + [arg.replace('$$', '$') for arg in argv[1:]]
        env = {name: os.environ[name] for name in ('HOME', 'PATH', 'TORRENTINO_NET') if name in os.environ}
        env.update(word.split('=', 1) for value in self.keys['Environment'] for word in words_of(value))
        watchdog = self.seconds('WatchdogSec')
        pid = os.fork()
        if pid == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.chdir(self.one('WorkingDirectory'))
            if self.one('Type') == 'notify':
                env['NOTIFY_SOCKET'] = self.address
            if watchdog:
                env.update(WATCHDOG_USEC=str(int(watchdog * 1e6)), WATCHDOG_PID=str(os.getpid()))
            printed = os.open(path('journal'), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(printed, 1)
            os.dup2(printed, 2)
            os.execve(argv[0], argv, env)
        return pid

    def run_once(self):
        """How it ended: the word of Result, the si_code and the status."""
        pid = self.spawn()
        now = time.clock_gettime(time.CLOCK_MONOTONIC)
        ready = self.one('Type') != 'notify'
        self.put(ActiveState='active' if ready else 'activating', SubState='running' if ready else 'start',
                 MainPID=pid, ExecMainStartTimestampMonotonic=int(now * 1e6), ExecMainCode=0, ExecMainStatus=0,
                 starts=self.state['starts'] + [now])
        heard, asked, killed, why = now, None, False, 'success'
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            now = time.clock_gettime(time.CLOCK_MONOTONIC)
            if self.stopping and asked is None:
                os.kill(pid, signal.SIGTERM)
                asked = now
            if ready and asked is None and 'WatchdogSec' in self.keys and now - heard > self.seconds('WatchdogSec'):
                os.kill(pid, signal.SIGABRT)
                why, asked = 'watchdog', now - float(self.one('TimeoutStopSec')) + 0.5
            if asked is not None and not killed and now - asked > float(self.one('TimeoutStopSec')):
                os.kill(pid, signal.SIGKILL)
                killed = True
            if not select.select([self.socket], [], [], 0.02)[0]:
                continue
            for word in self.socket.recv(4096).decode().split('\n'):
                with open(path('told'), 'a', encoding='utf-8') as file:
                    file.write(word + '\n')
                heard = now if word in ('READY=1', 'WATCHDOG=1') else heard
                if word == 'READY=1':
                    ready = True
                    self.put(ActiveState='active', SubState='running')
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        code, value = (1, os.WEXITSTATUS(status)) if os.WIFEXITED(status) else (2, os.WTERMSIG(status))
        if why == 'success' and code == 1 and value == 0 and not ready and not self.stopping:
            why = 'protocol'
        elif why == 'success' and code == 1 and value != 0:
            why = 'exit-code'
        elif why == 'success' and code == 2 and value not in (1, 2, 13, 15):
            why = 'signal'
        return why, code, value

    def wants_restart(self, why, code, value):
        if self.stopping:
            return False
        if code == 1 and str(value) in self.keys.get('RestartPreventExitStatus', []):
            return False
        assert self.one('Restart') == 'on-failure'
        return why != 'success'

    def live(self):
        while True:
            why, code, value = self.run_once()
            again = self.wants_restart(why, code, value)
            state = 'activating' if again else 'inactive' if why == 'success' or self.stopping else 'failed'
            self.put(ActiveState=state, SubState='auto-restart' if again else 'dead', MainPID=0, Result=why,
                     ExecMainCode=code, ExecMainStatus=value, supervisor=os.getpid() if again else 0)
            until = time.monotonic() + self.seconds('RestartSec')
            while again and time.monotonic() < until and not self.stopping:
                time.sleep(0.02)
            if not again or self.stopping:
                self.put(ActiveState=state if not again else 'inactive', SubState='dead', supervisor=0)
                os._exit(0)
            self.state['NRestarts'] += 1


def wait_for(unit, holds):
    until = time.monotonic() + WITHIN
    while time.monotonic() < until:
        state = load(unit)
        if holds(state):
            return state
        time.sleep(0.02)
    fail(f'{unit} took too long: {load(unit)}')


def start(unit):
    if load(unit)['supervisor']:
        return
    read_unit(unit)
    save(unit, {**load(unit), 'ActiveState': 'activating', 'supervisor': -1})
    if os.fork() == 0:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        try:
            Supervisor(unit).live()
        except BaseException as error:  # what goes wrong here is told to who waits
            save(unit, {**load(unit), 'ActiveState': 'failed', 'Result': repr(error), 'supervisor': 0})
            os._exit(1)
    state = wait_for(unit, lambda state: state['ActiveState'] != 'activating' or state['SubState'] == 'auto-restart')
    if state['ActiveState'] != 'active':
        fail(f'Job for {unit} failed because of {state.get("Result")}.\nSee "systemctl --user status {unit}".')


def stop(unit):
    supervisor = load(unit)['supervisor']
    if supervisor > 0:
        os.kill(supervisor, signal.SIGTERM)
        wait_for(unit, lambda state: state['supervisor'] == 0)


def link(unit):
    return os.path.join(UNITS, 'default.target.wants', unit)


def show(unit, properties):
    state = load(unit)
    state['UnitFileState'] = 'enabled' if os.path.islink(link(unit)) else 'disabled'
    for name in properties.split(','):
        print(f'{name}={state.get(name, 0)}')


def main(words):
    with open(path('calls'), 'a', encoding='utf-8') as file:
        file.write(f'{os.environ.get("XDG_RUNTIME_DIR", "")} {" ".join(words)}\n')
    if words[0] != '--user':
        fail('Only the user manager is played here.')
    if os.path.exists(path('no-bus')):
        fail('Failed to connect to bus: No medium found')
    verb, *rest = words[1:]
    names = [word for word in rest if not word.startswith('--')]
    if verb == 'show':
        (prop,) = [word.split('=', 1)[1] for word in rest if word.startswith('--property=')]
        return show(names[0], prop) if names else print('Version=0')
    if verb == 'daemon-reload':
        return None
    (unit,) = names
    if verb == 'enable':
        if 'default.target' not in read_unit(unit)['WantedBy']:
            fail('nobody wants it')
        os.makedirs(os.path.dirname(link(unit)), exist_ok=True)
        if not os.path.islink(link(unit)):
            os.symlink(os.path.join(UNITS, unit), link(unit))
    elif verb == 'disable':
        stop(unit)
        os.path.islink(link(unit)) and os.unlink(link(unit))
    elif verb == 'start':
        start(unit)
    elif verb == 'stop':
        stop(unit)
    else:
        fail(f'Unknown command verb {verb}.')
    return None


main(sys.argv[1:])
