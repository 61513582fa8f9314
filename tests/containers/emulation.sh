# Sourced by run.sh for the image of arm64 on a machine of another architecture: its kernel starts programs of arm64 with QEMU,
# from a package of Debian 13, for the time of the script. The kernel opens QEMU once (flag F), so no container needs to have it.
handlers=/proc/sys/fs/binfmt_misc
handler=$handlers/qemu-aarch64

emulate() {
  if [ ! -e "$handlers/register" ]; then
    [ "$(id -u)" = 0 ] || fail "Emulation needs root, or a handler of programs of arm64 in $handlers."
    modprobe binfmt_misc 2>/dev/null || true
    mount -t binfmt_misc binfmt_misc "$handlers" || fail 'The kernel has no binfmt_misc, which emulation needs.'
    mounted_handlers=yes
  fi
  if [ -e "$handler" ]; then
    grep -q '^flags: .*F' "$handler" || fail "$handler lacks the flag F, without which containers do not find QEMU. Remove it, or register it with the flag."
    return
  fi
  [ "$(id -u)" = 0 ] || fail "Emulation needs root, or a handler of programs of arm64 in $handlers."
  if [ ! -x "$work/qemu-aarch64" ]; then
    install_mmdebstrap
    rm -rf "$work/qemu"
    timeout 600 mmdebstrap --quiet --variant=extract --include=qemu-user trixie "$work/qemu" 7>&- 8>&-
    mv "$work/qemu/usr/bin/qemu-aarch64" "$work/"
    rm -rf "$work/qemu"
  fi
  registered_handler=yes
  # Programs of ELF with 64 bits, little-endian, for machine 0xb7. P: with their name as it was given; C: with their own rights.
  printf '%s' ":qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:$work/qemu-aarch64:POCF" >"$handlers/register"
}

stop_emulation() {
  [ -z "${registered_handler:-}" ] || echo -1 >"$handler" || true
  [ -z "${mounted_handlers:-}" ] || umount "$handlers" || true
}
