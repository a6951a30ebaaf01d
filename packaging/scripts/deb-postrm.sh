if [ -d /run/systemd/system ]; then
	systemctl --system daemon-reload >/dev/null || true
fi
if [ "$1" = purge ]; then
	if command -v deb-systemd-helper >/dev/null 2>&1; then
		deb-systemd-helper purge goodgate.service goodgate.socket >/dev/null || true
		deb-systemd-helper unmask goodgate.service goodgate.socket >/dev/null || true
	fi
	rm -rf /var/lib/goodgate /var/log/goodgate /run/goodgate
	if getent passwd goodgate >/dev/null; then
		userdel goodgate || true
	fi
fi
