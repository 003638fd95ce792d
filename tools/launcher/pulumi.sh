# shellcheck shell=sh
# Finds the Pulumi CLI and its Node.js language host: on PATH, in the cache, by the SDK's own installer, or built from the Go modules in
# tools/pulumi, where the download site can't be reached.

pulumi_least_minor=200 # 3.200
pulumi_sdk=3.270.0     # as @pulumi/pulumi in package.json
pulumi_built=3.250.0   # as in tools/pulumi/cli/go.mod
go_least_minor=21      # the first that fetches the toolchain a go.mod asks for
# Packages the two builds compile from nothing, and the minutes that took on two cores: for the progress line only.
build_packages=1950
build_minutes=8

# The verbs that run the engine or read its state, unless only their help is wanted. Sets $verb, as far as it looks.
needs_pulumi() {
  verb=
  noun=
  while [ $# -gt 0 ]; do
    case $1 in
      --) break ;;
      --help | -h) return 1 ;;
      --output | -o | --env) [ $# -lt 2 ] || shift ;;
      -*) ;;
      *) if [ -z "$verb" ]; then verb=$1; elif [ -z "$noun" ]; then noun=$1; fi ;;
    esac
    shift
  done
  case $verb:$noun in
    up:* | preview:* | destroy:* | env:* | test:* | nodes:shell | nodes:trust | doctor:?* | fsck:*) return 0 ;;
    *) return 1 ;;
  esac
}

# For what looks at this computer: the programs that are there already, nothing is fetched.
use_known_pulumi() { pulumi_on_path || ! pulumi_in_cache || PATH=$pulumi_bin:$PATH; }

# Puts the directory that holds both programs first on PATH, unless they are on it.
find_pulumi() {
  ! pulumi_on_path || return 0
  if ! pulumi_in_cache; then
    prepare_cache
    acquire "$cache/pulumi.lock" "the Pulumi CLI"
    pulumi_in_cache || install_pulumi || build_pulumi
    release
  fi
  PATH=$pulumi_bin:$PATH
}

# Asking a CLI for its version takes it half a second, so the answer is kept for as long as the file is the same.
pulumi_on_path() {
  pulumi=$(command -v pulumi) && command -v pulumi-language-nodejs >/dev/null || return 1
  answer="$(ls -dlnL "$pulumi")"
  if [ -f "$cache/pulumi-on-path" ]; then
    { read -r known && read -r version; } <"$cache/pulumi-on-path" || known=
    [ "$known" != "$answer" ] || { is_new_pulumi "$version" && return 0; return 1; }
  fi
  note "… asking the Pulumi CLI on PATH for its version"
  version=$(PULUMI_SKIP_UPDATE_CHECK=1 "$pulumi" version 2>/dev/null) || version=unusable
  if mkdir -p "$cache" 2>/dev/null; then printf '%s\n%s\n' "$answer" "$version" >"$cache/pulumi-on-path" || :; fi
  is_new_pulumi "$version" && return 0
  note "the Pulumi CLI on PATH is $version; 3.$pulumi_least_minor or newer is needed, so another is used"
  return 1
}

is_new_pulumi() {
  # Official builds begin with a v, ours do not.
  case ${1#v} in 3.*.*) ;; *) return 1 ;; esac
  minor=${1#v}
  minor=${minor#3.}
  minor=${minor%%.*}
  case $minor in '' | *[!0-9]*) return 1 ;; esac
  [ "$minor" -ge "$pulumi_least_minor" ]
}

# Sets $pulumi_bin, as installing and building do.
pulumi_in_cache() {
  for version in "$pulumi_sdk" "$pulumi_built"; do
    pulumi_bin=$cache/pulumi/$version/bin
    if [ -x "$pulumi_bin/pulumi" ] && [ -x "$pulumi_bin/pulumi-language-nodejs" ]; then return 0; fi
  done
  return 1
}

install_pulumi() {
  part=$cache/pulumi/$pulumi_sdk.part
  rm -rf "$part"
  run_shown "Pulumi CLI $pulumi_sdk, from its download site" "$cache/logs/pulumi-install.log" no_detail \
    "$node" "$root/tools/pulumi/install.ts" "$part"
  if [ "$status" -ne 0 ] || [ ! -x "$part/bin/pulumi-language-nodejs" ]; then
    rm -rf "$part"
    why_not_installed=$(tail_of "$cache/logs/pulumi-install.log")
    note "$why_not_installed"
    return 1
  fi
  rm -rf "$cache/pulumi/$pulumi_sdk"
  mv "$part" "$cache/pulumi/$pulumi_sdk"
  pulumi_bin=$cache/pulumi/$pulumi_sdk/bin
}

# Where both programs come from when they can't be downloaded. Built beside their place and moved there together.
build_pulumi() {
  if ! { go=$(command -v go) && go_version=$("$go" env GOVERSION 2>/dev/null) && is_new_go "$go_version"; }; then
    fail "the Pulumi CLI is needed and could not be had: ${why_not_installed:-it is not installed}; nor is there Go 1.$go_least_minor or newer to build it" \
      "Install Pulumi 3.$pulumi_least_minor or newer (https://www.pulumi.com/docs/install), or Go (https://go.dev/dl), then run the same command again."
  fi
  part=$cache/pulumi/$pulumi_built.part
  rm -rf "$part"
  mkdir -p "$part/bin"
  build_log=$cache/logs/pulumi-build.log
  run_shown "Pulumi CLI $pulumi_built: building from source, once, about $build_minutes min" "$build_log" build_detail build_both "$part/bin"
  [ "$status" -eq 0 ] || explain_log "building the Pulumi CLI" "$build_log" "Run the same command again (what was compiled is kept), or install Pulumi: https://www.pulumi.com/docs/install"
  rm -rf "$cache/pulumi/$pulumi_built"
  mv "$part" "$cache/pulumi/$pulumi_built"
  pulumi_bin=$cache/pulumi/$pulumi_built/bin
}

build_both() {
  go_build "$root/tools/pulumi/cli" "$1/pulumi" github.com/pulumi/pulumi/pkg/v3/cmd/pulumi &&
    go_build "$root/tools/pulumi/language-nodejs" "$1/pulumi-language-nodejs" github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs
}

# Without cgo no C compiler is needed; -v names each package, which is what the progress line counts.
go_build() {
  (cd "$1" && CGO_ENABLED=0 "$go" build -v -trimpath -buildvcs=false \
    -ldflags "-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=$pulumi_built" -o "$2" "$3")
}

build_detail() {
  compiled=$(grep -cv '^go: ' "$build_log") || compiled=0
  if [ "$compiled" -eq 0 ]; then
    echo "$(grep -c '^go: downloading' "$build_log") modules fetched, "
  else
    echo "$compiled/$build_packages packages, "
  fi
}

is_new_go() {
  minor=${1#go1.}
  minor=${minor%%[!0-9]*}
  case $minor in '') return 1 ;; esac
  [ "$minor" -ge "$go_least_minor" ]
}
