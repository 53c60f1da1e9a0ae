#!/bin/sh
# Makes dist/shoal: one file with the program, its snapshot worker, the runtime and the permissions.
#
#   sh compile.sh [--target TRIPLE] [--output FILE] [--self-extracting] [--gzip]
#     [--allow-KIND[=LIST]]... [--deny-KIND[=LIST]]...
#
# `deno compile` makes it where Deno's runtime can be downloaded (or DENORT_BIN names one). Where it
# cannot, the file is a self-extracting one instead: a shell stub before a tar of {deno, app/main.js,
# app/worker.ts}, unpacked once into the user's cache. The last line says which of the two was made.
#
# The permissions are the set "server" of deno.json. An --allow-KIND given here replaces the set's
# entry of that kind, a --deny-KIND takes away from it, for instance:
#
#   sh compile.sh --allow-net=0.0.0.0:6379,0.0.0.0:16379 --allow-read=/var/lib/shoal --allow-write=/var/lib/shoal
#
# That is for `--bind 0.0.0.0 --dir /var/lib/shoal`; port 16379 is the one of shard 0's replicas.
# Relative paths in a permission count from the folder the file is started in.
set -eu
cd "$(dirname "$0")"

DENO_VERSION=2.9.6
WORKER=src/snapshot/worker.ts # started by that name from src/snapshot/job.ts

fail() {
  echo "compile.sh: $*" >&2
  exit 1
}

target='' output='' self_extracting=no gzip=no permissions=''
while [ $# -gt 0 ]; do
  case $1 in
    --target) [ $# -gt 1 ] || fail '--target needs a value'; target=$2; shift ;;
    --target=*) target=${1#*=} ;;
    --output) [ $# -gt 1 ] || fail '--output needs a value'; output=$2; shift ;;
    --output=*) output=${1#*=} ;;
    --self-extracting) self_extracting=yes ;;
    --gzip) gzip=yes ;;
    --allow-*' '* | --deny-*' '*) fail "a permission must not contain a space: '$1'" ;;
    --allow-* | --deny-*) permissions="$permissions $1" ;;
    *) fail "unknown argument '$1'; allowed are --target, --output, --self-extracting, --gzip, --allow-KIND, --deny-KIND" ;;
  esac
  shift
done

if command -v deno > /dev/null; then
  deno=$(deno eval --no-config 'console.log(Deno.execPath())')
else
  deno=$(npx -y "deno@$DENO_VERSION" eval --no-config 'console.log(Deno.execPath())')
fi
host=$("$deno" eval --no-config 'console.log(Deno.build.target)')
target=${target:-$host}
if [ -z "$output" ]; then
  output=dist/shoal
  [ "$target" = "$host" ] || output=dist/shoal-$target
fi
export NO_COLOR=1

mkdir -p "$(dirname "$output")" .tmp
work=$(mktemp -d .tmp/compile.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

sha256() {
  if command -v sha256sum > /dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

# The set "server" as flags, one a line, overridden by the flags given. Its "./src" is there for the
# worker, and becomes $1 (nothing: the worker is inside the executable).
permission_flags() {
  set -f # an entry may end in a star; callers run this in a subshell
  # shellcheck disable=SC2086
  "$deno" run -q --no-config --allow-read=deno.json - "$1" $permissions << 'END'
const [sourcePath, ...given] = Deno.args;
const set: Record<string, string[] | boolean> =
  JSON.parse(Deno.readTextFileSync("deno.json")).permissions.server;
const kindOf = (flag: string): string | null => /^--allow-([^=]+)/.exec(flag)?.[1] ?? null;
const flags: string[] = [];
for (const [kind, value] of Object.entries(set)) {
  if (value === false || given.some((flag) => kindOf(flag) === kind)) continue;
  const list = value === true ? [] : value.filter((entry) => entry !== "./src");
  if (value === true || list.length > 0) {
    flags.push(value === true ? `--allow-${kind}` : `--allow-${kind}=${list.join(",")}`);
  }
}
flags.push(...given);
if (sourcePath !== "" && !flags.includes("--allow-read")) {
  const at = flags.findIndex((flag) => kindOf(flag) === "read");
  if (at < 0) flags.push(`--allow-read=${sourcePath}`);
  else flags[at] += `,${sourcePath}`;
}
console.log(flags.join("\n"));
END
}

# How V8 is to compile the program, as the task "start" says it.
v8_flags=$(sed -n '/"command".* main\.ts"/s/.* \(--v8-flags=[^ ]*\) .*/\1/p' deno.json)
[ -n "$v8_flags" ] || fail 'the task "start" in deno.json has no --v8-flags'

"$deno" check -q main.ts "$WORKER"

# 1. deno compile. Only a runtime that cannot be had leads on to 2; any other failure is one.
# The flags of the set are spelt out, as `-P` would bake this folder's absolute paths.
why='asked for with --self-extracting'
if [ "$self_extracting" = no ]; then
  # shellcheck disable=SC2046
  if (
    set -f
    exec "$deno" compile -q --no-check --no-prompt "$v8_flags" --target "$target" \
      --exclude-unused-npm --include "$WORKER" $(permission_flags '') \
      --output "$work/shoal" main.ts
  ) > "$work/compile.log" 2>&1; then
    made='deno compile'
    [ -f "$work/shoal" ] || output=${output%.exe}.exe # Windows
    mv "$work"/shoal* "$output"
  elif grep -q 'Setting up base binary\|denort' "$work/compile.log"; then
    why="Deno's runtime for $target cannot be downloaded"
    echo "compile.sh: deno compile failed: $why" >&2
    # Deno's causes say it all; the backtrace behind them names nothing.
    sed -e '/^Stack backtrace:/,$d' -e '/^$/d' -e 's/^/    /' "$work/compile.log" >&2
    self_extracting=yes
  else
    cat "$work/compile.log" >&2
    fail 'deno compile failed'
  fi
fi

# 2. The self-extracting form.
if [ "$self_extracting" = yes ]; then
  echo "compile.sh: building the self-extracting form ($why)" >&2
  payload=$work/payload
  mkdir -p "$payload/app"
  case $target in
    "$host") cp "$deno" "$payload/deno" ;;
    x86_64-unknown-linux-gnu) package=@deno/linux-x64-glibc ;;
    aarch64-unknown-linux-gnu) package=@deno/linux-arm64-glibc ;;
    x86_64-apple-darwin) package=@deno/darwin-x64 ;;
    aarch64-apple-darwin) package=@deno/darwin-arm64 ;;
    *) fail "there is no self-extracting form for $target" ;;
  esac
  if [ "$target" != "$host" ]; then # the runtime of another machine comes from npm
    (cd "$work" && npm pack "$package@$DENO_VERSION" > npm.log 2>&1) || {
      sed 's/^/    /' "$work/npm.log" >&2
      fail "cannot get the runtime for $target: npm has no $package@$DENO_VERSION here"
    }
    tar -xzf "$work"/deno-*.tgz -C "$work"
    cp "$work/package/deno" "$payload/deno"
  fi
  chmod 755 "$payload/deno"
  # The worker keeps its name and lies beside main.js, where `new URL("./worker.ts", ...)` finds it.
  "$deno" bundle -q --platform deno -o "$payload/app/main.js" main.ts
  "$deno" bundle -q --platform deno -o "$work/worker.js" "$WORKER"
  mv "$work/worker.js" "$payload/app/worker.ts"

  tar -cf "$work/payload.tar" -C "$payload" deno app
  unpack='tar -xf -'
  if [ "$gzip" = yes ]; then
    gzip -9 "$work/payload.tar"
    mv "$work/payload.tar.gz" "$work/payload.tar"
    unpack='gzip -dc | tar -xf -'
  fi
  digest=$(sha256 "$work/payload.tar" | cut -d ' ' -f 1)
  quoted_flags=$(permission_flags '@APP@' |
    sed "s/'/'\\\\''/g; s/^/'/; s/\$/'/; s/@APP@/'\"\$dir\/app\"'/" | tr '\n' ' ')

  cat > "$work/stub" << END
#!/bin/sh
# shoal, self-extracting: the first start unpacks the program and its runtime into the user's cache
# (SHOAL_CACHE, else XDG_CACHE_HOME/shoal, else ~/.cache/shoal); every start runs them from there.
set -eu
digest=$digest
END
  cat >> "$work/stub" << 'END'
fail() {
  echo "shoal: $*" >&2
  exit 1
}
payload() {
  tail -n +@PAYLOAD_LINE@ "$0"
}
if [ -n "${SHOAL_CACHE:-}" ]; then
  cache=$SHOAL_CACHE
elif [ -n "${XDG_CACHE_HOME:-}" ]; then
  cache=$XDG_CACHE_HOME/shoal
elif [ -n "${HOME:-}" ]; then
  cache=$HOME/.cache/shoal
else
  cache=${TMPDIR:-/tmp}/shoal-$(id -u)
fi
case $cache in
  *,*) fail "the cache folder must not have a comma in its path: '$cache'; set SHOAL_CACHE" ;;
  /*) ;;
  *) cache=$PWD/$cache ;;
esac
dir=$cache/$digest
if [ ! -x "$dir/deno" ]; then
  umask_before=$(umask)
  umask 077
  mkdir -p "$cache" || fail "cannot make the cache folder '$cache'; set SHOAL_CACHE"
  [ -O "$cache" ] || fail "the cache folder '$cache' belongs to someone else; set SHOAL_CACHE"
  part=$(mktemp -d "$cache/part.XXXXXX") || fail "cannot write to '$cache'; set SHOAL_CACHE"
  trap 'rm -rf "$part"' EXIT
  trap 'exit 1' HUP INT TERM
  if command -v sha256sum > /dev/null; then
    found=$(payload | sha256sum | cut -d ' ' -f 1)
    [ "$found" = "$digest" ] || fail "this file is damaged: its payload has the digest $found"
  fi
  payload | (cd "$part" && @UNPACK@) || fail "cannot unpack into '$part'"
  # Renaming is what makes it visible, so that it is whole or not there; the first of several wins.
  if ! mv -T "$part" "$dir" 2> /dev/null && [ ! -x "$dir/deno" ]; then
    mv "$part" "$dir" || fail "cannot rename '$part' to '$dir'"
  fi
  rm -rf "$part"
  trap - EXIT HUP INT TERM
  umask "$umask_before"
fi
[ -O "$dir/deno" ] || fail "'$dir' belongs to someone else; set SHOAL_CACHE"
export DENO_DIR="$dir/cache" DENO_TOKIO_EVENT_INTERVAL=1 DENO_NO_UPDATE_CHECK=1
export GLIBC_TUNABLES="${GLIBC_TUNABLES-glibc.malloc.hugetlb=1}"
exec "$dir/deno" run -q --no-config --no-lock --no-remote --no-npm --no-check --no-prompt \
  --unstable-worker-options @FLAGS@ "$dir/app/main.js" "$@"
END
  lines=$(wc -l < "$work/stub")
  awk -v line="$((lines + 1))" -v unpack="$unpack" -v flags="$v8_flags $quoted_flags" '{
    at = index($0, "@FLAGS@")
    if (at) $0 = substr($0, 1, at - 1) flags substr($0, at + 7)
    sub(/@PAYLOAD_LINE@/, line); sub(/@UNPACK@/, unpack); print
  }' "$work/stub" > "$work/shoal"
  cat "$work/payload.tar" >> "$work/shoal"
  chmod 755 "$work/shoal"
  mv "$work/shoal" "$output"
  made='self-extracting form'
fi

(cd "$(dirname "$output")" && file=$(basename "$output") && sha256 "$file" > "$file.sha256")
echo "$output: $made, $target, $(($(wc -c < "$output") / 1048576)) MiB, checksum in $output.sha256"
