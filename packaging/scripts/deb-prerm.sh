if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	deb-systemd-invoke stop goodgate.socket goodgate.service >/dev/null || true
fi
