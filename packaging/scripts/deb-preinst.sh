# When a removed package is installed again, dpkg configures it as if it were an upgrade. So
# this script records that it is an installation.
if [ "$1" = install ]; then
	: >/run/goodgate.install
fi
