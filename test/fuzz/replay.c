/*
 * The driver where there is no fuzzer: runs the target on each file that is named, and on nothing at all first. So the
 * committed seeds are tests of every build.
 */
#include "fuzz.h"

#include <stdio.h>

static bool run(const char *name)
{
	FILE *f = fopen(name, "rb");
	uint8_t *bytes = NULL;
	size_t len = 0, n;

	if (!f)
		return false;
	do {
		bytes = realloc(bytes, len + 65536);
		must(bytes);
		n = fread(bytes + len, 1, 65536, f);
		len += n;
	} while (n > 0);
	fclose(f);
	/* Not a byte more than there is: what is read behind the end is seen. */
	bytes = realloc(bytes, len ? len : 1);
	LLVMFuzzerTestOneInput(bytes, len);
	free(bytes);
	return true;
}

int main(int argc, char **argv)
{
	int ran = 0;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++) {
		if (!run(argv[i])) {
			perror(argv[i]);
			return 1;
		}
		ran++;
	}
	printf("%d inputs\n", ran);
	return 0;
}
