# A package that comes back after a removal is configured as if it was upgraded, so what
# is begun is noted here.
if [ "$1" = install ]; then
	: >/run/goodgate.install
fi
