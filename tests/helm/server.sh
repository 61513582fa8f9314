#!/usr/bin/env bash
# Makes a Kubernetes API server in a directory: kube-apiserver, built by Go, in ten minutes on two cores and once, and etcd
# from Debian's package. For: make test-helm SERVER=yes
set -euo pipefail
directory=$1
version=1.36.3
mkdir -p "$directory"
if [ ! -x "$directory/etcd" ]; then
  work=$(mktemp -d)
  chmod 755 "$work"
  apt-get -o DPkg::Lock::Timeout=600 -qq update
  (cd "$work" && apt-get -qq download etcd-server && dpkg -x etcd-server_*.deb .)
  mv "$work/usr/bin/etcd" "$directory/etcd"
  rm -rf "$work"
fi
if [ ! -x "$directory/kube-apiserver" ]; then
  work=$(mktemp -d)
  cd "$work"
  export GOFLAGS=-mod=mod GOWORK=off
  # The module replaces its parts by directories that it does not contain; they are modules of their own.
  go mod init runfold/apiserver
  definition=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/^\t"GoMod": "\(.*\)",\?$/\1/p')
  sed -n 's|^\t\(k8s.io/[a-z0-9-]*\) => ./staging/.*|\1|p' "$definition" | while read -r part; do
    go mod edit -replace "$part=$part@v0.${version#1.}"
  done
  go mod edit -require "k8s.io/kubernetes@v$version"
  component=k8s.io/component-base/version
  go build -ldflags "-X $component.gitVersion=v$version -X $component.gitMajor=1 -X $component.gitMinor=36" \
    -o "$directory/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver
  cd /
  rm -rf "$work"
fi
