addgroup -S goodgate 2>/dev/null || true
adduser -S -D -H -h /var/lib/goodgate -s /sbin/nologin -G goodgate -g goodgate goodgate 2>/dev/null || true
[ -d /run/goodgate ] || install -d -o goodgate -g goodgate -m 0750 /run/goodgate
