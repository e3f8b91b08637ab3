# awk -f syscall-table.awk syscalls.csv >syscall-table.h: what syscall-table.c searches. The rows below the first line
# must be sorted (LC_ALL=C sort -t, -k1,1).
BEGIN {
	FS = ","
	arm_private = 983040
	private_16 = 16384
	columns = split("x86 x86_64 x32 arm aarch64", arch, " ")
}

function fail(why) {
	printf "syscall-table.awk: line %d of the table: %s\n", NR, why >"/dev/stderr"
	failed = 1
	exit 1
}

NR == 1 {
	for (i = 1; i <= columns; i++)
		if ($(i + 1) != arch[i])
			fail("column " i + 1 " is not " arch[i])
	next
}

# PNR: this architecture has no such call, and libseccomp has a negative number that is the name's own. ARM's private
# calls are 0x0f0000 and a little: in 16 bits 0x4000 and a little.
{
	pseudo = 0
	for (i = 1; i <= columns; i++) {
		value = $(i + 1)
		if (value == "PNR") {
			pseudo = "__PNR_" $1
			value = -1
		} else if (value !~ /^[0-9]+$/) {
			fail("not a number: " value)
		} else if (value >= arm_private && value < arm_private + private_16) {
			value += private_16 - arm_private
		} else if (value >= private_16) {
			fail("more than 14 bits: " value)
		}
		numbers[i] = numbers[i] "\t" value ",\n"
	}
	if ($1 "" <= last "")
		fail("names are not in their order: " $1)
	last = $1
	names = names "\t\"" $1 "\\0\"\n"
	offsets = offsets "\t" offset + 0 ",\n"
	pseudos = pseudos "\t" pseudo ",\n"
	offset += length($1) + 1
	rows++
}

END {
	if (failed)
		exit 1
	if (rows < 400 || offset > 65535)
		fail(rows " names of " offset " bytes are not what was expected")
	printf "#define ROWS %d\n#define ARM_PRIVATE %d\n#define PRIVATE_16 %d\n\n", rows, arm_private, private_16
	printf "static const char names[] =\n%s;\n", names
	printf "static const uint16_t offsets[ROWS] = {\n%s};\n", offsets
	printf "static const int16_t pseudos[ROWS] = {\n%s};\n", pseudos
	print "static const int16_t numbers[][ROWS] = {"
	for (i = 1; i <= columns; i++)
		printf "{\n%s},\n", numbers[i]
	print "};"
	for (i = 1; i <= columns; i++)
		printf "_Static_assert(OFFSET_ARCH(%s) == %d * sizeof(int), \"column %d\");\n", arch[i], i + 1, i
}
