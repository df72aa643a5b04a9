"""What is wrong with a file or a row of it, in Chinese and English; and the refusals of imports."""

from collections.abc import Mapping

from loyalty.web import declare

Words = tuple[str, str]

ROW_FAULTS: Mapping[str, Words] = {
    "missing": ("此项为空", "is empty"),
    "amount": ("不是合格的金额(不得有千分位、指数)", "is no plain amount such as 1234.50"),
    "negative": ("金额为负,退款请另行上报", "is negative; report refunds as refunds"),
    "date": ("不是日历上有的日期,或格式不符", "is no date of the calendar in the layout's form"),
    "future-dated": ("晚于当前时间", "lies in the future"),
    "customer": ("不是合格的客户号", "is no customer reference"),
    "text": ("应为文本", "should be text"),
    "length": ("过长", "is too long"),
    "characters": ("含有不可见字符", "has characters that cannot be seen"),
    "formula": ("以公式字符开头", "begins like a formula"),
    "quotes": ("引号未闭合或位置不当", "a quote is not closed or stands in the wrong place"),
    "open-quote": (
        "此行的引号未闭合(或带引号的一行超过 64 KiB),其后的行可能被当作同一字段,整个文件未导入",
        "a quote that opens in this row is not closed (or the quoted row is longer than 64 KiB), "
        "so rows below may have gone into its field; nothing of the file was taken in",
    ),
    "cells": ("列数与标题行不符", "has not as many cells as the header"),
    "line-too-long": ("一行超过 64 KiB", "the line is longer than 64 KiB"),
    "encoding": ("编码与文件其余部分不符", "is not in the encoding of the rest of the file"),
    "unknown-customer": ("没有此客户", "there is no such customer"),
    "reference-reused": ("消费号已用于另一笔消费", "the number belongs to another purchase"),
    "overflow": ("记入后积分过多", "would make more points than the ledger can count"),
    "lines-differ": ("明细合计与金额不符", "the lines do not add up to the amount"),
}

FILE_FAULTS: Mapping[str, Words] = {
    **ROW_FAULTS,
    "empty": ("文件中没有内容", "the file is empty"),
    "file-kind": ("既不是 CSV 也不是 XLSX 文件", "is neither a CSV file nor an XLSX workbook"),
    "duplicate-header": ("列名重复", "stands twice in the header"),
    "missing-column": ("标题行没有此列", "is not in the header"),
    "missing-sheet": ("没有此工作表", "there is no such sheet"),
    "too-many-columns": ("列数过多(最多 256)", "has more than 256 columns"),
    "too-many-rows": ("行数过多(最多 2,000,000)", "has more than 2,000,000 rows"),
    "too-many-texts": ("共享文本过多,请另存为 CSV", "has too many texts; save it as CSV"),
    "workbook": ("不是完好的 XLSX 工作簿", "is no sound XLSX workbook"),
    "bomb": ("展开后过大,请另存为 CSV", "inflates to too much; save it as CSV"),
    "xml-entities": ("含有文档类型声明", "declares a document type"),
}

declare(
    "invalid-layout",
    422,
    title=("列对应关系不合格", "The layout does not serve"),
    explanation=(
        "客户号、日期、金额必须各有一列;其余设置须为文档所列的取值。",
        "Customer, date and amount each need a column; settings take the documented values.",
    ),
    remedy=("请按说明修正 layout。", "Mend the layout as the detail says."),
)
declare(
    "unusable-file",
    422,
    title=("文件无法读取", "The file cannot be used"),
    explanation=(
        "整个文件无法按所给的列对应关系读取;errors 指出行、列和原因。未保存任何内容。",
        "The file as a whole cannot be read by its layout; `errors` says where and why. Nothing "
        "was kept.",
    ),
    remedy=(
        "请修正文件后重新上传;个别行的错误不会导致整个文件被拒。",
        "Mend the file and send it again; single bad rows never refuse a whole file.",
    ),
)
declare(
    "already-staged",
    409,
    title=("该导入已有文件", "The import has its file"),
    explanation=(
        "每次导入只读取一个文件,且已经读取。",
        "An import reads one file, and has read it.",
    ),
    remedy=("请为新的文件新建导入。", "Open another import for another file."),
)
declare(
    "not-staged",
    409,
    title=("该导入还没有文件", "The import has no file yet"),
    explanation=(
        "必须先上传文件,才能应用或查看错误。",
        "A file has to be sent before the import can be applied.",
    ),
    remedy=("请先上传文件。", "Send the file first."),
)
declare(
    "not-applied",
    409,
    title=("该导入尚未开始应用", "The import was not begun"),
    explanation=(
        "只有已开始应用的导入才能停止或继续。",
        "Only an import that was begun can be stopped or go on.",
    ),
    remedy=("请先应用该导入。", "Apply the import first."),
)
declare(
    "import-expired",
    409,
    title=("该导入已过期", "The import is too old"),
    explanation=(
        "读取的行只保留 30 天,此后不能再开始应用。",
        "The rows of a file are kept for 30 days; after that it can no longer be applied.",
    ),
    remedy=("请新建导入并重新上传文件。", "Open another import and send the file again."),
)
