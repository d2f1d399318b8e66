// A C++ program of ten lines: a file in a RAM disk that only this thread sees.
#include <iostream>
#include <string>
#include <tenon.h>

int main()
{
	char text[16] = "";
	tn_ns_use(tn_ns_new(TN_NS_EMPTY));
	tn_bind("#ram", "/tmp", TN_REPL | TN_CREATE_HERE);
	int fd = tn_create("/tmp/greeting", TN_ORDWR, 0644);
	tn_write(fd, "hello", 5);
	tn_pread(fd, text, sizeof(text), 0);
	std::cout << text << ' ' << tn_dialect_name(TN_9P2000_L) << std::endl;
	return tn_close(fd) < 0 || std::string(text) != "hello";
}
