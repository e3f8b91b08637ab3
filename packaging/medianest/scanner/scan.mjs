// Looks at an image: what files it has, and what its own nest-init puts in force for what would run there.
//
//   podman run --rm --cap-add SYS_ADMIN --security-opt seccomp=unconfined \
//       --mount type=image,source=IMAGE,destination=/image,rw=true localhost/medianest/security-scanner:dev
//
// SYS_ADMIN is for a mount and a PID namespace of the image's own. Status 1: something was found, 125: it could not look.
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, lstatSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const SHELLS = ['ash', 'bash', 'busybox', 'csh', 'dash', 'fish', 'ksh', 'mksh', 'sh', 'tcsh', 'toybox', 'zsh'];
const MANAGERS = ['apk', 'apt', 'apt-get', 'aptitude', 'corepack', 'dnf', 'dpkg', 'microdnf', 'npm', 'npx', 'opkg', 'pacman', 'pip',
  'pip3', 'pnpm', 'rpm', 'yarn', 'yum'];
const FETCHERS = ['curl', 'nc', 'ncat', 'socat', 'ssh', 'wget'];
const SECRETS = ['.env', '.git-credentials', '.netrc', '.npmrc', '.pgpass', 'id_ecdsa', 'id_ed25519', 'id_rsa'];
const PRIVATE_KEY = /^-----BEGIN [A-Z ]*PRIVATE KEY-----$/m;
const READ = 64 * 1024; // of a file, for a key: more is no key

class Scan {
  findings = [];
  files = 0;

  constructor(root) {
    this.root = root;
  }

  find(kind, path, meaning) {
    this.findings.push(`${kind.padEnd(10)} ${path.slice(this.root.length)}: ${meaning}`);
  }

  // Links count as well: /bin/sh is one nearly everywhere.
  program(path) {
    const name = basename(path);
    if (SHELLS.includes(name)) this.find('shell', path, 'who breaks into the service has it as well');
    if (MANAGERS.includes(name)) this.find('packages', path, 'a package manager brings whatever is missing');
    if (FETCHERS.includes(name)) this.find('fetcher', path, 'it brings whatever is missing, and takes away the rest');
  }

  holdsKey(path) {
    const file = openSync(path, 'r');
    try {
      const start = Buffer.alloc(READ);
      return PRIVATE_KEY.test(start.toString('latin1', 0, readSync(file, start)));
    } finally {
      closeSync(file);
    }
  }

  file(path, stat) {
    this.files++;
    if ((stat.mode & 0o6000) !== 0) this.find('setuid', path, 'it runs as its owner, whoever starts it');
    if ((stat.mode & 0o002) !== 0) this.find('writable', path, 'everybody may write to it');
    if ((stat.mode & 0o111) !== 0) this.program(path);
    if (SECRETS.includes(basename(path)) || (stat.size > 0 && stat.size <= READ && this.holdsKey(path)))
      this.find('secret', path, 'whoever has the image has it');
  }

  directory(path) {
    for (const name of readdirSync(path)) {
      const entry = join(path, name);
      const stat = lstatSync(entry);
      if (stat.isSymbolicLink()) this.program(entry);
      else if (stat.isFile()) this.file(entry, stat);
      else if (stat.isDirectory()) {
        // The sticky bit, as /tmp has it, keeps what is there with its owner.
        if ((stat.mode & 0o1002) === 0o002) this.find('writable', entry, 'everybody may write, rename and remove there');
        if (!['proc', 'sys', 'dev'].includes(entry.slice(this.root.length + 1))) this.directory(entry);
      }
    }
  }
}

function fail(message) {
  console.error(`scan: ${message}`);
  process.exit(125);
}

// The image's own nest-init, in a mount and a PID namespace of the image's own.
const nestInit = (root, ...words) => spawnSync('unshare', ['-m', '-p', '-f', `--mount-proc=${root}/proc`, 'chroot', root,
  '/sbin/nest-init', ...words], { encoding: 'utf8' });

// A status of unshare's is not to be taken for a verdict.
function mustStart(root) {
  const run = nestInit(root, '--version');
  if (run.status !== 0) fail(`cannot start the image's /sbin/nest-init: ${run.stderr.trim() || run.error?.message}: say ` +
    '--cap-add SYS_ADMIN --security-opt seccomp=unconfined; and is it in there?');
}

// Capabilities of files, which Node cannot read: of the programs in PATH the image's nest-init tells those that have any.
function capable(scan) {
  const { found } = JSON.parse(nestInit(scan.root, 'audit', '--json').stdout).findings.find(({ item }) => item === 'setuid');
  for (const path of found.split(', '))
    if (path.startsWith('/') && !scan.findings.some((line) => line.includes(` ${path}: `)))
      scan.find('capable', `${scan.root}${path}`, 'it has capabilities of its own, whoever starts it');
}

function configure(root, file) {
  try {
    writeFileSync(`${root}/.scan.json`, file);
  } catch (error) {
    fail(`${error.message}: mount the image with rw=true (nothing of it is kept)`);
  }
}

// It looks around in there, confined as `file` says, the contents of a configuration.
function audit(root, level, file) {
  if (file) configure(root, file);
  const run = nestInit(root, 'exec', ...(file ? ['--config', '/.scan.json'] : []), '--', '/sbin/nest-init', 'audit',
    '--fail-on', level);
  process.stdout.write(run.stdout);
  process.stderr.write(run.stderr);
  if (run.status !== 0 && run.status !== 1) fail(`nest-init could not look (status ${run.status}): see above`);
  return run.status === 0;
}

const CONFINES = ['user', 'group_add', 'security_level', 'capabilities', 'securebits', 'no_new_privs', 'seccomp', 'filesystem',
  'network', 'limits', 'umask'];

// A file for each service and each task of the image, with what confines it. A container without one is as its engine made it.
function audits(root, level) {
  const path = `${root}/etc/nest-init.json`;
  if (!existsSync(path)) return [audit(root, level)];
  const { services, tasks } = JSON.parse(readFileSync(path, 'utf8'));
  return Object.entries({ ...services, ...tasks }).map(([name, service]) => {
    console.log(`\n${name}:`);
    const confined = Object.fromEntries(Object.entries(service).filter(([key]) => CONFINES.includes(key)));
    return audit(root, level, JSON.stringify({ services: { [name]: { command: service.command, ...confined } } }));
  });
}

const [root = '/image', level = 'medium', ...more] = process.argv.slice(2);
if (more.length > 0 || root.startsWith('-')) fail('usage: scan.mjs [ROOT [low|medium|high]]');
const scan = new Scan(root.replace(/\/+$/, ''));
try {
  scan.directory(scan.root);
} catch (error) {
  fail(`${error.message}: mount the image there, --mount type=image,source=IMAGE,destination=${root},rw=true`);
}
if (scan.files === 0) fail(`${root} is empty: mount the image there, --mount type=image,source=IMAGE,destination=${root},rw=true`);
mustStart(scan.root);
capable(scan);
for (const finding of scan.findings) console.log(finding);
console.log(`${scan.files} files, ${scan.findings.length} findings`);
const held = audits(scan.root, level).every(Boolean);
process.exit(held && scan.findings.length === 0 ? 0 : 1);
