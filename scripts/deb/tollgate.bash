# SPDX-License-Identifier: Apache-2.0
# Completion of tollgate(1) for bash. Commands and their verbs are asked from the program itself, so they are those of
# the one that is installed.

_tollgate_commands() {
	"$1" --help 2>/dev/null | sed -n '/^commands:/,/^options:/s/^  \([a-z]*\) .*/\1/p'
}

# Words behind "usage: tollgate COMMAND" and options, from a command's own help.
_tollgate_verbs() {
	"$1" "$2" --help 2>/dev/null | sed -n "s/^\(usage:\)\{0,1\} *tollgate $2 \([a-z][a-z|]*\).*/\2/p" |
		tr '|' '\n' | sort -u
}

_tollgate_options() {
	"$1" "$2" --help 2>/dev/null | grep -o -e '--[a-z][a-z-]*' | sort -u
}

_tollgate() {
	local cur=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]} command= verb= i word words
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--) return ;;
		--config | -c) [ -n "$command" ] || ((i++)) ;;
		-*) ;;
		*) if [ -z "$command" ]; then command=$word; elif [ -z "$verb" ]; then verb=$word; fi ;;
		esac
	done
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--config | -c) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	esac
	if [ -z "$command" ]; then
		words="$(_tollgate_commands "$program") --config --json --help --version"
	elif [[ $cur == -* ]]; then
		words="$(_tollgate_options "$program" "$command") --json --help"
	elif [ -z "$verb" ]; then
		words=$(_tollgate_verbs "$program" "$command")
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	[ ${#COMPREPLY[@]} != 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

complete -o filenames -F _tollgate tollgate
