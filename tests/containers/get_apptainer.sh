#!/usr/bin/env bash
# get_apptainer.sh PREFIX: Debian's own Apptainer (only its sid has one) into a folder, with the newer C library it needs.
# Nothing outside PREFIX changes. Needs apt-get, dpkg, patchelf; amd64. MIRROR: a Debian mirror.
set -euo pipefail
prefix=$(realpath -m "$1")
mirror=${MIRROR:-http://deb.debian.org/debian}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,state} "$prefix/glibc"
: > "$work/state/status"
cat > "$work/sid.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: sid
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
# a mirror may lag behind: an index past its date is still signed
cat > "$work/apt.conf" <<CONF
Dir::State "$work/state";
Dir::State::lists "$work/lists";
Dir::State::status "$work/state/status";
Dir::Cache "$work/cache";
Dir::Etc::SourceList "$work/sid.sources";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
APT::Sandbox::User "root";
CONF

cd "$work"
apt-get -q -c apt.conf update > /dev/null
apt-get -q -c apt.conf download apptainer libc6 libseccomp2 libsqlite3-0 > /dev/null
dpkg -x apptainer_*.deb "$prefix"
for package in libc6 libseccomp2 libsqlite3-0; do
  dpkg -x "$package"_*.deb libraries
done
(
  cd libraries/usr/lib/x86_64-linux-gnu
  cp -L ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 libresolv.so.2 librt.so.1 \
    libnss_files.so.2 libnss_dns.so.2 libsqlite3.so.0 libseccomp.so.2 "$prefix/glibc/"
)
for program in usr/bin/apptainer usr/lib/x86_64-linux-gnu/apptainer/bin/starter; do
  patchelf --set-interpreter "$prefix/glibc/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$prefix/glibc" "$prefix/$program"
done
# where the two programs look for their configuration and session folders once they are moved
ln -sfn ../etc "$prefix/usr/etc"
ln -sfn ../var "$prefix/usr/var"
ln -sfn ../../etc "$prefix/usr/lib/etc"
ln -sfn ../../var "$prefix/usr/lib/var"
"$prefix/usr/bin/apptainer" --version
