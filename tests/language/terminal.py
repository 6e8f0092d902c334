"""ppl on a terminal, through tmux: for repl.py and tutorial.py."""
import os, re, subprocess, time


class Terminal:
    """ppl on a terminal of its own; tmux in the foreground, so that nothing is left behind."""

    def __init__(self, folder, ppl):
        self.socket = os.path.join(folder, 'tmux')
        self.folder, self.ppl = folder, ppl
        with open(os.path.join(folder, 'tmux.conf'), 'w', encoding='utf-8') as f:
            f.write('set -g history-limit 1000\n')
        self.server = subprocess.Popen(['tmux', '-D', '-S', self.socket, '-f', os.path.join(folder, 'tmux.conf')],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(100):
            if os.path.exists(self.socket):
                break
            time.sleep(0.05)

    def tmux(self, *words):
        return subprocess.run(['tmux', '-S', self.socket, *words], capture_output=True, text=True, timeout=20, check=False)

    def begin(self):
        self.tmux('kill-session')
        command = f"cd {self.folder} && exec env XDG_STATE_HOME={self.folder} NO_COLOR=1 TERM=screen {self.ppl}"
        return self.tmux('new-session', '-d', '-x', '90', '-y', '40', command)

    def screen(self):
        return self.tmux('capture-pane', '-p', '-S', '-500').stdout

    def expect(self, pattern, seconds=20):
        """Wait until the screen shows it, in full lines."""
        end = time.time() + seconds
        while time.time() < end:
            if re.search(pattern, self.screen(), re.M):
                return True
            time.sleep(0.05)
        return False

    def end(self):
        self.tmux('kill-server')
        self.server.terminate()
        self.server.communicate()
