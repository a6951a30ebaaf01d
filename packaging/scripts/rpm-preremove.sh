if [ "$1" = 0 ] && [ -d /run/systemd/system ]; then # removed, not upgraded
	systemctl --no-reload disable --now goodgate.socket goodgate.service >/dev/null 2>&1 || true
fi
