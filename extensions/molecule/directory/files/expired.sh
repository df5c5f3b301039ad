#!/bin/sh
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Make a certificate of the host's own authority that expired long ago: /root/expired/server.pem, with its key.
set -eu
authority=/etc/stateless/directory/ca-key.pem
mkdir -p /root/expired
cd /root/expired
cat > ca.cnf <<END
[ca]
default_ca = it
[it]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
END
: > index
echo 01 > serial
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=dir1 -addext subjectAltName=IP:192.0.2.1 \
    -keyout key -out request
openssl ca -batch -config ca.cnf -cert "$authority" -keyfile "$authority" -notext \
    -startdate 20200101000000Z -enddate 20200201000000Z -in request -out certificate
install -d -o openldap -g openldap -m 0700 /etc/ldap/expired
cat certificate key > /etc/ldap/expired/server.pem
chown openldap /etc/ldap/expired/server.pem
chmod 0600 /etc/ldap/expired/server.pem
