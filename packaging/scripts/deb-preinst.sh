# dpkg configures a package that is installed again after a removal as if it were upgraded.
# So this script records that it is an installation.
if [ "$1" = install ]; then
	: >/run/goodgate.install
fi
