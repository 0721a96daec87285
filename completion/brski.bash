# SPDX-License-Identifier: Apache-2.0
# bash completion for all programs; `make install` gives each its own name for this file.
# shellcheck shell=bash disable=SC2207 # words of our own, without blanks

# _brski_paths -f|-d WORD: files, or directories alone, that begin with the word
_brski_paths() {
	compopt -o filenames 2>/dev/null
	COMPREPLY=($(compgen "$1" -- "$2"))
}

_brski_words() {
	COMPREPLY=($(compgen -W "$1" -- "$2"))
}

# The words that are neither options nor their values; $1 names the options that take a value.
_brski_plain_words() {
	local i word
	plain=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ " $1 " == *" $word "* ]]; then
			i=$((i + 1))
			[[ ${COMP_WORDS[i]} == "=" ]] && i=$((i + 1))
		elif [[ $word != -* ]]; then
			plain+=("$word")
		fi
	done
}

# cur, prev and plain for the function that asks; "--option=value" is three words to bash
_brski_begin() {
	COMPREPLY=()
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	_brski_plain_words "$1"
	if [[ $cur == "=" ]]; then
		cur=""
	elif [[ $prev == "=" ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
}

_brski_pledge() {
	local cur prev plain
	_brski_begin "-c --config --coaps"
	case $prev in
	-c | --config) _brski_paths -f "$cur" ;;
	--coaps) _brski_words "coaps://" "$cur" ;;
	*)
		if [[ $cur == -* ]]; then
			_brski_words "-c --config -v --verbose --once --force --coaps -h --help -V --version" "$cur"
		elif [ ${#plain[@]} = 0 ]; then
			_brski_words "join status renew reset proxy" "$cur"
		fi
		;;
	esac
}

_brski_daemon() {
	local cur prev plain options="-c --config --check --restore --store-copy -h --help -V --version"
	_brski_begin "-c --config --restore --store-copy"
	case $prev in
	-c | --config | --restore | --store-copy) _brski_paths -f "$cur" ;;
	*) _brski_words "$options" "$cur" ;;
	esac
}

_brski_certs() {
	local cur prev plain options
	_brski_begin "--out --ca --name --key-type --days --san --masa-url --serial --csv --organization --model"
	case $prev in
	--out | --ca) _brski_paths -d "$cur" ;;
	--csv) _brski_paths -f "$cur" ;;
	--key-type) _brski_words "ec-p256 ec-p384 rsa-3072 ed25519" "$cur" ;;
	--name | --days | --san | --masa-url | --serial | --organization | --model) ;;
	*)
		case ${plain[0]:-} in
		"") options="manufacturer domain masa registrar standby idevid" ;;
		manufacturer | domain) options="--out --name --key-type --days" ;;
		masa | registrar) options="--ca --out --san --key-type --days" ;;
		standby) options="--ca --out --name --key-type --days" ;;
		idevid) options="--ca --out --masa-url --serial --csv --key-type --organization --model" ;;
		esac
		[[ $cur == -* ]] && options+=" -h --help -V --version"
		_brski_words "$options" "$cur"
		;;
	esac
}

_brski_voucher() {
	local cur prev plain
	_brski_begin "--signer --anchor --at --nonce --serial"
	case $prev in
	--signer | --anchor) _brski_paths -f "$cur" ;;
	--at | --nonce | --serial) ;;
	*)
		if [[ $cur == -?* ]]; then
			_brski_words "--signer --anchor --at --nonce --serial -h --help -V --version" "$cur"
		elif [ ${#plain[@]} = 0 ]; then
			_brski_words "inspect" "$cur"
		else
			_brski_paths -f "$cur"
		fi
		;;
	esac
}

_brski_ctl_common() { # PREV CUR; true when that was all
	case $1 in
	-s | --socket) _brski_paths -f "$2" ;;
	-o | --output) _brski_words "table json csv ids" "$2" ;;
	*) return 1 ;;
	esac
}
_brski_ctl_options="-s --socket -o --output -h --help -V --version"

_registrarctl() {
	local cur prev plain words=""
	_brski_begin "-s --socket -o --output --url --token-file --cacert --role --site --until --user --days --state --reason --match --file -f --label --model --older-than --seconds --manufacturer --serial --network --not-before --not-after --remaining --position --from --expiring --last --after --anchors --expect --type --retry --drop --name --host --existing-ca --existing-key --directory --config --masa-anchors --masa-url --note --approvers --unknown --set --remove --with-manufacturer --to"
	_brski_ctl_common "$prev" "$cur" && return
	case $prev in
	--state)
		[ "${plain[0]:-}" = setup ] && { _brski_paths -d "$cur"; return; }
		[ "${plain[0]:-}" = devices ] && { _brski_words "joining active expiring expired quarantined revoked decommissioned replaced refused" "$cur"; return; }
		_brski_words "pending approved preapproved announced expired rejected" "$cur" && return
		;;
	--manufacturer | --serial | --network | --not-before | --not-after | --remaining | --position | --from | --expiring) return ;;
	--set | --remove | --with-manufacturer) return ;;
	--match | --label | --model | --older-than | --seconds) return ;;
	-f | --file) _brski_paths -f "$cur" && return ;;
	--reason | --last | --after | --expect | --type | --retry | --drop) return ;;
	--anchors | --masa-anchors | --existing-ca | --existing-key | --config) _brski_paths -f "$cur" && return ;;
	--directory) _brski_paths -d "$cur" && return ;;
	--token-file | --cacert) _brski_paths -f "$cur" && return ;;
	--url) _brski_words "https://" "$cur" && return ;;
	--role) _brski_words "viewer approver operator auditor admin supplier" "$cur" && return ;;
	--until | --user | --days | --to) return ;;
	--name | --host | --masa-url | --note) return ;;
	--approvers) _brski_words "1 2" "$cur" && return ;;
	--unknown) _brski_words "hold reject" "$cur" && return ;;
	esac
	case "${plain[*]}" in
	status) words="--quiet" ;;
	"") words="setup manufacturers claims jobs rules devices sites certificates vouchers statistics audit events hooks users tokens ca backup restore doctor status" ;;
	setup) words="--name --host --existing-ca --existing-key --announce --directory --state --yes" ;;
	manufacturers) words="list add remove" ;;
	"manufacturers add"*) words="--anchors --masa-anchors --masa-url --directory" ;;
	"manufacturers remove"*) words="--directory" ;;
	rules) words="list add remove move enable disable test" ;;
	"rules add"*)
		words="--manufacturer --model --site --label --serial --network --not-before --not-after --remaining --reason --position"
		[[ ${#plain[@]} = 2 ]] && words+=" approve hold reject ask"
		;;
	"rules test"*) words="--manufacturer --model --from" ;;
	backup*) [[ $cur == -* ]] || { _brski_paths -f "$cur"; return; } ;;
	restore*) if [[ $cur == -* ]]; then words="--config"; else _brski_paths -f "$cur"; return; fi ;;
	users) words="list show add code grant ungrant disable enable remove certificate" ;;
	"users add"* | "users grant"* | "users ungrant"*) words="--role --site --manufacturer --until" ;;
	"users certificate"*)
		[[ $cur == -* ]] || { _brski_paths -f "$cur"; return; }
		words="--forget"
		;;
	tokens) words="list add remove" ;;
	"tokens add"*) words="--name --user --days --role --site --manufacturer" ;;
	claims) words="list show watch approve reject import export" ;;
	jobs) words="list show" ;;
	devices) words="list find show history export quarantine release revoke decommission replace move label clear-marks" ;;
	sites) words="list add set remove" ;;
	"sites add"* | "sites set"*) words="--name --note --approvers --unknown" ;;
	certificates) words="list" ;;
	vouchers) words="list fetch drop" ;;
	"vouchers list"*) words="--ahead" ;;
	"vouchers fetch"*) words="--file --match --manufacturer --masa-url --constrained --again" ;;
	"vouchers drop"*) words="--file" ;;
	ca) words="show switch" ;;
	"ca switch"*) words="--to --reason --yes --dry-run" ;;
	"certificates list"*) words="--expiring" ;;
	audit) words="list export verify" ;;
	events) words="tail" ;;
	"events tail"*) words="--type --after --once" ;;
	hooks) words="list add test remove enable disable dead" ;;
	"hooks add"*) words="--type --anchors" ;;
	"hooks enable"*) words="--skip" ;;
	"hooks dead"*) words="--retry --drop" ;;
	"audit list") words="--last --after" ;;
	"audit verify"*)
		[[ $cur == -* ]] || { _brski_paths -f "$cur"; return; }
		words="--anchors --expect"
		;;
	"claims list" | "claims export")
		words="--state --match --site --manufacturer --model --serial --from --older-than"
		;;
	"claims watch"*) words="--seconds" ;;
	"claims import"*)
		[[ $cur == -* ]] || { _brski_paths -f "$cur"; return; }
		words="--dry-run"
		;;
	"claims approve"*)
		words="--all --match --file --site --label --note --reason --change --dry-run --yes"
		;;
	"claims reject"*) words="--match --file --note --reason --change --dry-run --yes" ;;
	"devices list" | "devices export") words="--state --site --match" ;;
	"devices find"*) words="--anywhere" ;;
	"devices history"*) words="--after" ;;
	"devices replace"*) words="--with-manufacturer --force --reason --note --manufacturer --dry-run" ;;
	"devices move"*) words="--site --reason --note --manufacturer --match --file --dry-run --yes" ;;
	"devices label"*) words="--set --remove --reason --note --manufacturer --match --file --dry-run --yes" ;;
	"devices quarantine"* | "devices release"* | "devices revoke"* | "devices decommission"* | \
		"devices clear-marks"*)
		words="--reason --note --manufacturer --match --file --dry-run --yes"
		;;
	esac
	[[ $cur == -* ]] && words+=" $_brski_ctl_options --url --token-file --cacert"
	_brski_words "$words" "$cur"
}

_masactl() {
	local cur prev plain words=""
	_brski_begin "-s --socket -o --output --url --token-file --cacert --name --host --existing-ca --existing-key --directory --state --last --after --anchors --expect --config --days --weight --region"
	_brski_ctl_common "$prev" "$cur" && return
	case $prev in
	--existing-ca | --existing-key | --anchors | --config) _brski_paths -f "$cur" && return ;;
	--token-file | --cacert) _brski_paths -f "$cur" && return ;;
	--url) _brski_words "https://" "$cur" && return ;;
	--directory | --state) _brski_paths -d "$cur" && return ;;
	--name | --host | --last | --after | --expect | --days | --weight | --region) return ;;
	esac
	case "${plain[*]}" in
	"") words="setup devices owners destinations audit tokens backup restore doctor status" ;;
	setup) words="--name --host --existing-ca --existing-key --directory --state --yes" ;;
	status) words="--quiet" ;;
	backup*) [[ $cur == -* ]] || { _brski_paths -f "$cur"; return; } ;;
	restore*) if [[ $cur == -* ]]; then words="--config"; else _brski_paths -f "$cur"; return; fi ;;
	devices) words="import list show" ;;
	owners) words="add list" ;;
	destinations) words="list registrar est configuration remove" ;;
	"destinations registrar"*) words="--weight --region" ;;
	"destinations est "*) [[ $cur == -* ]] || { _brski_paths -f "$cur"; return; } ;;
	audit) words="show list export verify" ;;
	tokens) words="new" ;;
	"tokens new"*) words="--read --lookup --days" ;;
	"audit list") words="--last --after" ;;
	"audit verify"*)
		[[ $cur == -* ]] || { _brski_paths -f "$cur"; return; }
		words="--anchors --expect"
		;;
	"devices import"*)
		[[ $cur == -* ]] || { _brski_paths -f "$cur"; return; }
		words="--dry-run"
		;;
	"owners add "*) [[ $cur == -* ]] || { _brski_paths -f "$cur"; return; } ;;
	esac
	[[ $cur == -* ]] && words+=" $_brski_ctl_options --url --token-file --cacert"
	_brski_words "$words" "$cur"
}

complete -F _brski_pledge brski-pledge
complete -F _brski_daemon brski-registrar brski-masa
complete -F _brski_certs brski-certs
complete -F _brski_voucher brski-voucher
complete -F _registrarctl registrarctl
complete -F _masactl masactl
