# shellcheck shell=bash
# Sourced by the other scripts.

export PATH="$PATH:/usr/sbin" # nginx, haproxy and others; not in the PATH of every user

step() { printf '\n== %s\n' "$1"; }

need() { # need COMMAND PACKAGE: installs PACKAGE if COMMAND is missing
  command -v "$1" >/dev/null && return
  local sudo=''
  [ "$(id -u)" = 0 ] || sudo=sudo
  command -v apt-get >/dev/null || { echo "please install $1"; exit 1; }
  echo "installing $2"
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$2" >/dev/null
}
