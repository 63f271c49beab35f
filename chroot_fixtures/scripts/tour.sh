# A tour of the POSIX shell (dash). Its output is the same on every run.
cd "$(mktemp -d)" || exit 9
say() { printf '%s\n' "$*"; }
say parameters; set -- a 'b c' d
for word; do printf '<%s>' "$word"; done; echo; say "$# ${1} ${2#b } ${9-none} $*"
IFS=,; say "$*"; unset IFS; shift 2; say "$1"
x=path/to/file.txt; say "${x##*/} ${x%.*} ${x%%/*} ${#x} ${y:=set} ${y:+alternate}"
say arithmetic $((1 + 2 * 3)) $((7 / 2)) $((-7 % 3)) $((0x1f)) $((1 << 10)) $((x = 5, x)) 2>&1 || say "no comma"
i=0; while [ $i -lt 5 ]; do i=$((i + 1)); [ $i = 2 ] && continue; [ $i = 4 ] && break; echo "i=$i"; done
until [ $i -le 0 ]; do i=$((i - 1)); done; echo "i=$i"
case file.tar.gz in *.zip) say zip ;; *.tar.gz | *.tgz) say tar ;; esac
local_test() { local v=inner; say "$v $1"; return 3; }; v=outer; local_test argument; say "$? $v"
cat <<END; cat <<'END'; cat <<-END
expanded $v $(say nested)
END
literal $v
END
	stripped
	END
(exit 4); say $?; false || say or; true && say and; ! true; say $?
(cd /; pwd); say "$(say sub)" "`say back`"
trap 'say "on exit"' EXIT
(trap 'say usr1' USR1; kill -USR1 $$ 2> /dev/null & wait) 2> /dev/null
(trap 'say term; exit 5' TERM; sh -c 'kill -TERM $PPID'; say unreachable); say "status $?"
sh -c 'kill -KILL $$' 2> /dev/null; say "status $?"
sleep 5 & kill $!; wait $! 2> /dev/null; say "status $?"
(sleep 0.05; exit 6) & wait $!; say "status $?"
printf '%s %5d %-5s| %x %o %c %b\n' s 42 l 255 8 char 'a\tb'
printf '1 2\n3 4\n' | while read -r a b; do say "$b$a"; done
read -r line <<END
from a document
END
say "$line"
touch f1 f2 .h; mkdir d; say *; say f[12] .h* nothing*; set -f; say *; set +f
exec 3> out; say three >&3; exec 3>&-; cat out; say more >> out; wc -l < out; { say err >&2; } 2>&1
(set -e; false; say unreachable); say "errexit $?"
(set -u; say "$undefined") 2> /dev/null; say "nounset $?"
(set -C; say again > out) 2> /dev/null || say noclobber
umask 077; umask; : > private; ls -l private | cut -c1-10; ulimit -n
eval 'say evaluated'; . ./missing 2> /dev/null || say "unreachable: dash exits"
