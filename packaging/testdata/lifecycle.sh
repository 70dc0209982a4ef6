#!/bin/bash
# Installs, configures, upgrades, removes and purges the package in a Debian 12 that was
# booted for it; /src has old.deb and new.deb. It ends with 1 at the first thing that is
# not as it should be.
set -euo pipefail

step() { echo "== $*"; }
fail() {
	echo "FAIL: $*"
	systemctl --no-pager status 'lectern-*' || true
	journalctl --no-pager -q -o cat -u 'lectern-*' | tail -n 40
	exit 1
}
export DEBIAN_FRONTEND=noninteractive
services=(lectern-gateway lectern-syncer)
sockets=(lectern-gateway.socket lectern-syncer.socket)
unpack() { dpkg --install "$1" || fail "installing $1"; }

# Everything but what dpkg, systemd and this test write for themselves, and the copies of
# the accounts before the last change.
files() {
	find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path /src -o -path /var/log -o -path /var/lib/dpkg \
		-o -path /var/cache/ldconfig -o -path /var/lib/systemd -o -path /var/tmp -o -path /root \) -prune -o -print |
		grep -v '^/etc/\(passwd\|group\|shadow\|gshadow\)-$' | sort
}
no_failed_unit() {
	local failed
	failed=$(systemctl list-units --failed --no-legend --plain 'lectern-*')
	[[ -z $failed ]] || fail "failed units: $failed"
}
ready() {
	local i
	for ((i = 0; i < 150; i++)); do
		if gateway healthcheck 2>/dev/null && syncer healthcheck --admin-listen=127.0.0.1:9091 2>/dev/null; then return; fi
		sleep 0.2
	done
	fail "not ready after 30 s"
}
pids() { systemctl show --value --property=MainPID "${services[@]}" | xargs; }
running_version() { curl -sf http://127.0.0.1:9090/metrics | sed -n 's/^lectern_build_info{.*version="\([^"]*\)".*/\1/p'; }

ip link set lo up
files >/tmp/before

step "a fresh install starts nothing and leaves no failed unit"
unpack /src/old.deb
systemctl is-enabled "${services[@]}" "${sockets[@]}" && fail "something is enabled"
[[ $(pids) == "0 0" ]] || fail "something runs"
systemctl start "${services[@]}" || fail "start without secrets fails"
systemctl start "${sockets[@]}" || fail "start without secrets fails"
[[ $(pids) == "0 0" ]] || fail "something runs without secrets"
no_failed_unit
[[ $(stat -c '%a %U:%G' /etc/lectern /etc/lectern/credentials /etc/lectern/lectern.yaml /var/lib/lectern | xargs) == "750 root:lectern 700 root:root 640 root:lectern 750 lectern:lectern" ]] ||
	fail "modes: $(stat -c '%n %a %U:%G' /etc/lectern /etc/lectern/* /var/lib/lectern)"

step "systemd finds no fault in the units"
out=$(systemd-analyze verify lectern-gateway.service lectern-gateway.socket lectern-syncer.service lectern-syncer.socket 2>&1) || fail "$out"
! grep lectern <<<"$out" || fail "systemd-analyze verify: $out"

step "with secrets it runs"
head -c 48 /dev/urandom | base64 -w 0 >/etc/lectern/credentials/auth-jwt-secret
echo a-secret-of-a-zoom-app >/etc/lectern/credentials/zoom-webhook-secret
head -c 32 /dev/urandom | base64 -w 0 >/etc/lectern/credentials/secrets-key
chmod 600 /etc/lectern/credentials/*
mkdir -p /etc/systemd/system/lectern-{gateway,syncer}.service.d
# The machine that this runs on may have little space.
printf '[Service]\nEnvironment=LECTERN_CACHE_MIN_FREE=0 LECTERN_SYNC_WORK_MIN_FREE=0\n' |
	tee /etc/systemd/system/lectern-gateway.service.d/test.conf >/etc/systemd/system/lectern-syncer.service.d/test.conf
echo '# changed by the administrator' >>/etc/lectern/lectern.yaml
systemctl daemon-reload
systemctl enable --now "${sockets[@]}" "${services[@]}"
ready
[[ $(running_version) == v0.0.1 ]] || fail "runs $(running_version)"
install -d -o lectern -g lectern /var/lib/lectern/recordings /srv/recordings
echo lesson | tee /var/lib/lectern/recordings/lesson.mp4 >/srv/recordings/lesson.mp4

step "an upgrade refuses no connection"
loop() { # URL FILE: a request after the other, each on a connection of its own
	while [[ ! -e /tmp/stop ]]; do curl -s -o /dev/null -w '%{http_code} %{exitcode}\n' --max-time 20 "$1" >>"$2" || true; done
}
loop http://127.0.0.1:8080/ /tmp/gateway-requests &
loop http://127.0.0.1:8081/ /tmp/syncer-requests &
before=$(pids)
unpack /src/new.deb
ready
sleep 1 # requests after the upgrade
touch /tmp/stop
wait
for program in gateway syncer; do
	sent=$(wc -l </tmp/$program-requests) lost=$(grep -vc ' 0$' /tmp/$program-requests || true)
	echo "$program: $sent requests, $lost without an answer: $(sort /tmp/$program-requests | uniq -c | xargs)"
	((sent > 20 && lost == 0)) || fail "$lost of $sent requests had no answer"
done
[[ $(running_version) == v0.0.2 ]] || fail "still runs $(running_version)"
[[ $(pids) != "$before" ]] || fail "was not restarted"
grep -q 'changed by the administrator' /etc/lectern/lectern.yaml || fail "the settings were replaced"
no_failed_unit

step "an upgrade whose schema is missing leaves the running programs alone"
lectern-run gateway migrate down --yes --no-backup
before=$(pids)
unpack /src/new.deb 2>&1 | tee /tmp/out
grep -q 'lectern-run gateway migrate up' /tmp/out || fail "the message does not say what to do"
[[ $(pids) == "$before" ]] || fail "was restarted"
lectern-run gateway migrate up --yes
systemctl restart lectern-syncer lectern-gateway
ready

step "removal stops everything and keeps settings and data"
dpkg --remove lectern
[[ $(pids) == "0 0" ]] || fail "something runs"
[[ ! -e /usr/bin/gateway && -s /etc/lectern/lectern.yaml && -s /var/lib/lectern/lectern.db ]] || fail "the wrong files are gone"
curl -s http://127.0.0.1:8080/ && fail "something listens"

step "an install after a removal starts what was enabled"
unpack /src/new.deb
ready

step "purge removes what the programs made, and no recording"
dpkg --purge lectern </dev/null
[[ $(cat /var/lib/lectern/recordings/lesson.mp4 /srv/recordings/lesson.mp4) == lesson$'\n'lesson ]] || fail "a recording is gone"
[[ $(find /var/lib/lectern -type f) == /var/lib/lectern/recordings/lesson.mp4 ]] || fail "left: $(find /var/lib/lectern -type f)"
rm -r /var/lib/lectern /srv/recordings /etc/systemd/system/lectern-{gateway,syncer}.service.d
systemctl daemon-reload
files >/tmp/after
diff /tmp/before /tmp/after || fail "other files than before"
[[ -z $(systemctl list-unit-files --no-legend 'lectern-*') ]] || fail "left: $(systemctl list-unit-files --no-legend 'lectern-*')"

step "an install and a purge that nobody configured leave nothing"
unpack /src/new.deb
dpkg --purge lectern </dev/null
files >/tmp/after
diff /tmp/before /tmp/after || fail "other files than before"
echo PASS
