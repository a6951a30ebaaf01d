case "$1" in
configure | abort-upgrade | abort-deconfigure | abort-remove)
	add_user
	if command -v deb-systemd-helper >/dev/null 2>&1; then
		deb-systemd-helper unmask goodgate.service >/dev/null || true
		if deb-systemd-helper --quiet was-enabled goodgate.service; then
			deb-systemd-helper enable goodgate.service >/dev/null || true
		else
			deb-systemd-helper update-state goodgate.service >/dev/null || true
		fi
	fi
	if [ -d /run/systemd/system ]; then
		systemctl --system daemon-reload >/dev/null || true
		if [ -e /run/goodgate.install ]; then
			deb-systemd-invoke start goodgate.service >/dev/null || true
		elif systemctl --quiet is-active goodgate.service; then
			replace
		fi
	else
		add_runtime_folder
	fi
	rm -f /run/goodgate.install
	;;
esac
